// One route as data: what Fastify registers and what the OpenAPI document says come from the same
// record, so that they cannot differ.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Control } from '../engine/control.ts';
import type { Gates } from '../engine/gate-desk.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { Scope, Token } from './auth.ts';
import type { HookSetups } from './hook-setup.ts';
import type { ProblemKind } from './problem.ts';
import type { SlackSetup } from './slack-setup.ts';

export type RouteDeps = {
  readonly control: Control;
  readonly gates: Gates;
  readonly metricsText: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly logger: Logger;
  readonly version: string;
  readonly clock: Clock;
  readonly tokens?: readonly Token[];
  /** Kinds of hooks that are taken; default: none. */
  readonly hooks?: HookSetups;
  /** Whose buttons are obeyed; default: none. */
  readonly slack?: SlackSetup;
};

/** A body that arrives as bytes, since signatures are over bytes. */
export type RawBody = {
  readonly bytesMax: number;
  readonly mediaTypes: readonly string[];
  /** Name of a schema in `schemas.ts`, for the document only. */
  readonly schema: string;
  readonly example: unknown;
};

export type ResponseSpec = {
  readonly description: string;
  readonly mediaType: string;
  /** Name of a schema in `schemas.ts`; null: text. */
  readonly schema: string | null;
  readonly example?: unknown;
};

/** What a handler gets: everything validated. */
export type Call<Params, Query, Body, Headers> = {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: Headers;
  /** Name of the caller's token; null without tokens. */
  readonly token: string | null;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
};

type Shape = z.ZodObject;
type Out<S extends Shape | undefined> = S extends Shape ? z.output<S> : undefined;

type BodySpec<S> = {
  readonly name: string;
  readonly schema: S;
  readonly example: unknown;
  /** Default: the server's limit, which nearly all stay under. */
  readonly bytesMax?: number;
};

export type RouteSpec = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Fastify's spelling: `/v1/watches/:id`. */
  readonly url: string;
  readonly operationId: string;
  readonly summary: string;
  readonly tag: 'watches' | 'gates' | 'hooks' | 'hold' | 'daemon';
  /** null: needs no token. */
  readonly scope: Scope | null;
  /** Ways to prove who asks, where the handler looks at that itself; names of the document. */
  readonly security?: readonly string[];
  /** A stream: no HEAD, no time limit for the whole answer. */
  readonly isStream: boolean;
  readonly params?: Shape;
  readonly query?: Shape;
  readonly headers?: Shape;
  /** Name of the body's schema and the schema itself. */
  readonly body?: BodySpec<Shape>;
  readonly raw?: RawBody;
  readonly responses: Readonly<Record<number, ResponseSpec>>;
  readonly problems: readonly ProblemKind[];
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
};

declare module 'fastify' {
  interface FastifyRequest {
    tokenName: string | null;
  }
}

/** Builds a route whose handler sees the types of its own schemas. */
export function route<
  P extends Shape | undefined = undefined,
  Q extends Shape | undefined = undefined,
  B extends Shape | undefined = undefined,
  H extends Shape | undefined = undefined,
>(
  spec: Omit<RouteSpec, 'params' | 'query' | 'body' | 'headers' | 'handle' | 'isStream'> & {
    readonly isStream?: boolean;
    readonly params?: P;
    readonly query?: Q;
    readonly headers?: H;
    readonly body?: BodySpec<B>;
  },
  handler: (call: Call<Out<P>, Out<Q>, Out<B>, Out<H>>) => Promise<unknown>,
): RouteSpec {
  return {
    isStream: false,
    ...spec,
    // Fastify has put the validated values in place: the validator compiler of `server.ts`.
    handle: (request, reply) =>
      handler({
        params: request.params as Out<P>,
        query: request.query as Out<Q>,
        body: request.body as Out<B>,
        headers: request.headers as Out<H>,
        token: request.tokenName,
        request,
        reply,
      }),
  } as RouteSpec;
}

export function json(description: string, schema: string, example?: unknown): ResponseSpec {
  return { description, mediaType: 'application/json', schema, example };
}
