// CDEvents: `service.deployed` and `service.upgraded`, as CloudEvents in binary mode (the body is
// the whole CDEvent) or in structured mode (it is the `data` of the envelope). What the headers of
// the binary mode repeat is read from the body: a signature covers only that.
import { createHash } from 'node:crypto';
import {
  extrasOf,
  type HookEvent,
  type HookResult,
  type HookSettings,
  ignored,
  invalid,
  isObject,
  type Json,
  shown,
  startOf,
  textAt,
  valueAt,
} from './hook.ts';

const DEPLOYS = /^dev\.cdevents\.service\.(deployed|upgraded)\.\d+\.\d+\.\d+(-.+)?$/;
const STRUCTURED = 'application/cloudevents+json';

export function readCdevents({ headers, body }: HookEvent, settings: HookSettings): HookResult {
  const isStructured = (headers['content-type'] ?? '').toLowerCase().startsWith(STRUCTURED);
  const event = isStructured ? body['data'] : body;
  if (!isObject(event)) return invalid('data', 'found no object; wanted a CDEvent as JSON');
  const type = textAt(event, 'context.type');
  if (type === null) return invalid('context.type', 'found nothing; wanted the type of a CDEvent');
  if (!DEPLOYS.test(type)) {
    return ignored(
      `event ${shown(type)}; only service.deployed and service.upgraded start a watch`,
    );
  }
  const name = textAt(event, 'subject.id');
  if (name === null) return invalid('subject.id', 'found nothing; wanted the service');
  const extras = extrasOf(valueAt(event, 'customData'));
  const artifact = textAt(event, 'subject.content.artifactId');
  const version = artifact === null ? null : purlVersion(artifact);
  if (version === null && extras['version'] === undefined) {
    const wanted = 'a purl with a version, such as pkg:oci/aurora@sha256%3A4f1c';
    return invalid('subject.content.artifactId', `found ${shown(artifact)}; wanted ${wanted}`);
  }
  return startOf(
    {
      name,
      environment: textAt(event, 'subject.content.environment.id'),
      deployedAt: textAt(event, 'context.timestamp'),
      fields: { version, ...extras },
    },
    settings,
    eventKey(event),
  );
}

/** Version of `pkg:type/namespace/name@version?qualifiers#subpath`; null when it has none. */
function purlVersion(purl: string): string | null {
  const [bare = ''] = purl.split(/[?#]/);
  const at = bare.lastIndexOf('@');
  // An @ before the name belongs to a namespace such as pkg:npm/@scope/name.
  if (!bare.startsWith('pkg:') || at < bare.lastIndexOf('/')) return null;
  try {
    return decodeURIComponent(bare.slice(at + 1)) || null;
  } catch {
    return null;
  }
}

/** Source and id together are unique; both may be long. */
function eventKey(event: Json): string | null {
  const id = textAt(event, 'context.id');
  if (id === null) return null;
  const pair = JSON.stringify([textAt(event, 'context.source'), id]);
  return `cdevents:${createHash('sha256').update(pair).digest('hex')}`;
}
