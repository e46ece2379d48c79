// postgres://user:password@host:port/database?sslmode=… taken apart. Strict: what it does not know
// is refused, because a parameter that is dropped in silence may be the one that asks for TLS.
// No text of the URL is ever in a problem: it may hold a password.

export type PostgresAddress = {
  /** Name, address, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
  /** null: no TLS. */
  readonly tls: PostgresTls | null;
};

export type PostgresTls = {
  /** false only for `sslmode=require` without an authority: encrypted, to whoever answers. */
  readonly isVerified: boolean;
  /** Paths of PEM files. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
};

export type PostgresUrl =
  | { readonly kind: 'address'; readonly address: PostgresAddress }
  | { readonly kind: 'problem'; readonly found: string; readonly wanted: string };

export const EXAMPLE_URL = 'postgres://canaryd@db.internal:5432/canaryd?sslmode=verify-full';
/** Unless another one is named. */
export const DEFAULT_SCHEMA = 'canaryd';
const DEFAULT_PORT = 5_432;
const PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host'];
const MODES = ['disable', 'require', 'verify-full'];

function problem(found: string, wanted: string): PostgresUrl {
  return { kind: 'problem', found, wanted };
}

export function parsePostgresUrl(text: string): PostgresUrl {
  const url = URL.parse(text);
  if (url === null || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    return problem('no URL of a PostgreSQL database', `one such as ${EXAMPLE_URL}`);
  }
  const parts = decoded(url);
  if (parts === null) {
    return problem('a URL with a broken %', 'special characters in user and password as %XX');
  }
  const { user, password, database } = parts;
  if (user === '')
    return problem('a URL without a user', `the role to log in as, as in ${EXAMPLE_URL}`);
  if (database === '') return problem('a URL without a database', `its name, as in ${EXAMPLE_URL}`);
  const unknown = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) {
    return problem('a URL with another parameter', `only ${PARAMETERS.join(', ')}`);
  }
  const host = url.searchParams.get('host') ?? url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') return problem('a URL without a host', `its name, as in ${EXAMPLE_URL}`);
  const tls = tlsOf(url.searchParams, host);
  if (typeof tls === 'string') return problem(tls, `sslmode=${MODES.join(' or ')}: ${TLS_ADVICE}`);
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  return { kind: 'address', address: { host, port, user, password, database, tls } };
}

function decoded(url: URL) {
  try {
    return {
      user: decodeURIComponent(url.username),
      password: url.password === '' ? null : decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)),
    };
  } catch {
    return null;
  }
}

const TLS_ADVICE =
  'verify-full with sslrootcert=/path/ca.pem for an authority of your own, require encrypts ' +
  'to whoever answers, disable is for a network that nobody else can reach';

function isLocal(host: string): boolean {
  return host.startsWith('/') || /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);
}

/** What is wrong, in words, when it is no string of ours. */
function tlsOf(parameters: URLSearchParams, host: string): PostgresTls | null | string {
  const mode = parameters.get('sslmode');
  if (mode === null) {
    return isLocal(host) ? null : 'a URL without sslmode, and a host that is another machine';
  }
  if (!MODES.includes(mode)) return 'a URL with another sslmode';
  if (mode === 'disable') return null;
  const ca = parameters.get('sslrootcert');
  const cert = parameters.get('sslcert');
  const key = parameters.get('sslkey');
  if ((cert === null) !== (key === null)) return 'a URL with only one of sslcert and sslkey';
  return { isVerified: mode === 'verify-full' || ca !== null, ca, cert, key };
}
