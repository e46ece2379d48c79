// Begins: the path says whether all watches are shown or one, all gates or one decision of a gate.
import { Api } from './api.js';
import { GatePage } from './gate.js';
import { GatesPage } from './gates.js';
import { ListPage } from './list.js';
import { ServerClock } from './server-clock.js';
import { WatchPage } from './watch.js';

const clock = new ServerClock(() => performance.now());
const api = new Api(clock);
const [, folder = '', id = ''] =
  /^\/(watches|gates)(?:\/([^/]+))?\/?$/.exec(location.pathname) ?? [];

for (const link of document.querySelectorAll('.bar nav a')) {
  const isHere = link.getAttribute('href') === (folder === 'gates' ? '/gates' : '/');
  // In the page of one watch or gate the link leads away from it.
  if (isHere) link.setAttribute('aria-current', id === '' ? 'page' : 'true');
}

if (folder === 'gates' && id === '') new GatesPage({ api, clock }).start();
else if (folder === 'gates') new GatePage(decodeURIComponent(id), { api, clock }).start();
else if (id === '') new ListPage({ api, clock }).start();
else new WatchPage(decodeURIComponent(id), { api, clock }).start();
