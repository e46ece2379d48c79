// Carries out one attempt of an action: resolves its secrets, fills in the deploy's values, and
// hands it to the webhook or the command.
import type { ActionPayload, Delivery, Outcome } from '../core/delivery.ts';
import type { Action, CommandVia, SecretRef, WebhookVia } from '../core/policy.ts';
import { fill, type TemplateValues } from '../core/template.ts';
import type { Clock } from '../kit/clock.ts';
import { runCommand } from './command.ts';
import { sendWebhook } from './webhook.ts';

export type ActOptions = {
  /** Null: there is no such secret. */
  readonly resolveSecret: (ref: SecretRef) => string | null;
  readonly clock: Clock;
  readonly version: string;
};

export type Act = (
  delivery: Delivery,
  action: Action,
  values: TemplateValues,
  signal: AbortSignal,
) => Promise<Outcome>;

export function createAct(options: ActOptions): Act {
  return async (delivery, action, values, signal) => {
    if (delivery.content.kind !== 'action') {
      throw new Error(`delivery ${delivery.id} is a message: it belongs to a channel`);
    }
    const attempt = { delivery, action, values, signal, payload: delivery.content.payload };
    return action.via.kind === 'webhook'
      ? actByWebhook(options, attempt, action.via)
      : actByCommand(options, attempt, action.via);
  };
}

type Attempt = {
  readonly delivery: Delivery;
  readonly action: Action;
  readonly values: TemplateValues;
  readonly signal: AbortSignal;
  readonly payload: ActionPayload;
};

async function actByWebhook(
  { resolveSecret, clock, version }: ActOptions,
  { delivery, action, values, signal, payload }: Attempt,
  via: WebhookVia,
): Promise<Outcome> {
  const secret = via.secret === null ? null : resolveSecret(via.secret);
  if (via.secret !== null && !secret) return missing([`secret: $${via.secret.secret}`]);
  const headers = resolve(via.headers, resolveSecret, (text) => fill(text, values, headerText));
  if (headers.missing.length > 0) return missing(headers.missing.map((name) => `headers.${name}`));
  return sendWebhook({
    via,
    deliveryId: delivery.id,
    payload,
    timeoutMs: action.timeoutMs,
    attempt: delivery.attempts,
    nowMs: clock.now(),
    version,
    secret,
    headers: headers.values,
    values,
    signal,
  });
}

async function actByCommand(
  { resolveSecret }: ActOptions,
  { delivery, action, values, signal, payload }: Attempt,
  via: CommandVia,
): Promise<Outcome> {
  const env = resolve(via.env, resolveSecret, (text) => fill(text, values));
  if (env.missing.length > 0) return missing(env.missing.map((name) => `env.${name}`));
  return runCommand({
    via,
    deliveryId: delivery.id,
    payload,
    timeoutMs: action.timeoutMs,
    env: env.values,
    secrets: env.secrets,
    values,
    signal,
  });
}

type Resolved = {
  readonly values: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** `<name>: $<variable>` of each secret that is not there. */
  readonly missing: readonly string[];
};

/** Placeholders are filled in the policy's own texts only: a secret is used as it is. */
function resolve(
  entries: Readonly<Record<string, string | SecretRef>>,
  resolveSecret: ActOptions['resolveSecret'],
  fillIn: (text: string) => string,
): Resolved {
  const values: Record<string, string> = {};
  const secrets: string[] = [];
  const missing: string[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (typeof entry === 'string') {
      values[name] = fillIn(entry);
      continue;
    }
    const secret = resolveSecret(entry);
    // Set but empty is the usual sign of a secret that was not mounted.
    if (secret === null || secret === '') {
      missing.push(`${name}: $${entry.secret}`);
    } else {
      values[name] = secret;
      secrets.push(secret);
    }
  }
  return { values, secrets, missing };
}

/** A deploy's value inside a header: nothing that could end it or that headers cannot hold. */
function headerText(value: string): string {
  return value.toWellFormed().replace(/[^\x20-\x7e]/gu, encodeURIComponent);
}

function missing(names: readonly string[]): Outcome {
  const detail = `${names.join(', ')} is not set or empty; set the variable or its secret file`;
  return { kind: 'refused', reason: 'misconfigured', detail };
}
