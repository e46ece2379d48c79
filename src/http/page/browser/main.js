// Begins: the path says whether all watches are shown or one.
import { Api } from './api.js';
import { startList } from './list.js';
import { ServerClock } from './server-clock.js';
import { startWatch } from './watch.js';

const clock = new ServerClock(() => performance.now());
const api = new Api(clock);
const [, id] = /^\/watches\/([^/]+)$/.exec(location.pathname) ?? [];

if (id === undefined) startList({ api, clock });
else startWatch(decodeURIComponent(id), { api, clock });
