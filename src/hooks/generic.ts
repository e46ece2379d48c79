// Anything with a template: the body is that of POST /v1/watches.
import {
  type HookEvent,
  type HookResult,
  type HookSettings,
  keyOf,
  textAt,
  unwatchedEnvironment,
} from './hook.ts';

export function readGeneric({ headers, body }: HookEvent, settings: HookSettings): HookResult {
  const unwatched = unwatchedEnvironment(textAt(body, 'environment'), settings);
  if (unwatched !== null) return unwatched;
  const named = textAt(body, 'service') ?? '';
  const service = Object.hasOwn(settings.services, named) ? settings.services[named] : undefined;
  return {
    kind: 'start',
    start: service === undefined ? body : { ...body, service },
    // A signature covers webhook-id. An Idempotency-Key means what it means at POST /v1/watches.
    idempotencyKey: keyOf('generic', headers['webhook-id']) ?? headers['idempotency-key'] ?? null,
  };
}
