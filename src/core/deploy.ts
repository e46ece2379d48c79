// A deploy: something was released.

export type Deploy = {
  readonly service: string;
  readonly environment: string;
  readonly version: string;
  readonly previousVersion: string | null;
  /** The deploy's own time: windows count from here. */
  readonly deployedAtMs: number;
  readonly parameters: Readonly<Record<string, number | string>>;
  /** Who or what deployed; for messages. */
  readonly by: string | null;
  /** Link to the pipeline run; for messages. */
  readonly url: string | null;
};

/** Two starts with the same key are the same deploy while its watch is open. */
export function deployKey(deploy: Pick<Deploy, 'service' | 'environment' | 'version'>): string {
  return JSON.stringify([deploy.service, deploy.environment, deploy.version]);
}
