// GitLab: deployment events. They carry neither a previous version nor parameters.
import {
  type HookEvent,
  type HookResult,
  type HookSettings,
  ignored,
  invalid,
  type Json,
  keyOf,
  releaseTag,
  shown,
  startOf,
  textAt,
  valueAt,
} from './hook.ts';

export function readGitlab({ headers, body }: HookEvent, settings: HookSettings): HookResult {
  const kind = valueAt(body, 'object_kind');
  if (kind !== 'deployment') {
    return ignored(`event ${shown(kind)}; only deployment starts a watch`);
  }
  const status = valueAt(body, 'status');
  if (status !== 'success') return ignored(`status ${shown(status)}; only success starts a watch`);
  const name = textAt(body, 'project.path_with_namespace');
  if (name === null) {
    return invalid('project.path_with_namespace', 'found nothing; wanted group/project');
  }
  const version = versionOf(body);
  if (version === null) {
    return invalid('short_sha', 'found nothing; wanted the commit that was deployed');
  }
  const written = textAt(body, 'status_changed_at');
  const deployedAt = written === null ? null : timeOf(written);
  if (written !== null && deployedAt === null) {
    const wanted = 'a time such as 2026-03-01 12:00:00 +0100';
    return invalid('status_changed_at', `found ${shown(written)}; wanted ${wanted}`);
  }
  return startOf(
    {
      name,
      environment: textAt(body, 'environment'),
      deployedAt,
      by: textAt(body, 'user.username'),
      url: textAt(body, 'deployable_url'),
      fields: { version },
    },
    settings,
    keyOf('gitlab', headers['webhook-id'] ?? headers['idempotency-key']),
  );
}

/** The event has eight digits of the commit; its link has all of them. */
function versionOf(body: Json): string | null {
  const tag = releaseTag(textAt(body, 'ref'));
  if (tag !== null) return tag;
  const short = textAt(body, 'short_sha');
  const long = /\/([0-9a-f]{40,64})$/.exec(textAt(body, 'commit_url') ?? '')?.[1];
  return short !== null && long?.startsWith(short) ? long : short;
}

const TIME = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?) ?(?:(UTC|Z)|([+-]\d\d):?(\d\d))$/;

/** `2026-03-01 12:00:00 +0100` → `2026-03-01T12:00:00+01:00`. */
function timeOf(text: string): string | null {
  const [, day, time, utc, hours, minutes] = TIME.exec(text) ?? [];
  if (day === undefined) return null;
  return `${day}T${time}${utc === undefined ? `${hours}:${minutes}` : 'Z'}`;
}
