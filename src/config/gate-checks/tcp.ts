import { z } from 'zod';
import { duration, mapping } from '../fields.ts';

const ADDRESSES_MAX = 50;
const addressError = 'an address as host:port, such as redis.internal:6379 or [::1]:6379';
const listError = `a list of 1 to ${ADDRESSES_MAX} addresses as host:port`;

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})$/;

export type Address = { readonly host: string; readonly port: number };

/** null when it is none. */
export function parseAddress(written: string): Address | null {
  const [, v6, name, digits] = ADDRESS.exec(written) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}

export const tcpSchema = mapping({
  addresses: z
    .array(
      z
        .string({ error: addressError })
        .refine((written) => parseAddress(written) !== null, { error: addressError }),
      { error: listError },
    )
    .min(1, { error: listError })
    .max(ADDRESSES_MAX, { error: listError })
    .describe('Where a connection must be accepted: [redis.internal:6379].'),
  timeout: duration('50ms', '5m', '3s')
    .default('3s')
    .describe('No connection within this time is unknown. Default 3s.'),
}).describe('TCP connections that are accepted; nothing is sent.');

export type TcpInput = z.output<typeof tcpSchema>;
