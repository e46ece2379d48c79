// Begins: the path says whether all watches are shown or one.
import { Api } from './api.js';
import { ListPage } from './list.js';
import { ServerClock } from './server-clock.js';
import { WatchPage } from './watch.js';

const clock = new ServerClock(() => performance.now());
const api = new Api(clock);
const [, id] = /^\/watches\/([^/]+)\/?$/.exec(location.pathname) ?? [];

if (id === undefined) new ListPage({ api, clock }).start();
else new WatchPage(decodeURIComponent(id), { api, clock }).start();
