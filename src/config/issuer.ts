import type { EnvironmentReader } from './environment.ts';

/** The listener settings that the issuer depends on; port 0 is chosen at startup. */
export interface ListeningAt {
  readonly host: string;
  /** Undefined: no plain listener (`PORT=off`). */
  readonly port: number | undefined;
  readonly tlsPort: number | undefined;
}

/** The default issuer identifier: the address of the listener on this machine. */
export function defaultIssuer({ port, tlsPort }: Omit<ListeningAt, 'host'>): string {
  return port === undefined ? `https://localhost:${tlsPort}` : `http://localhost:${port}`;
}

/** The given or default issuer identifier. Reports faults to the reader and returns warnings. */
export function readIssuer(
  read: EnvironmentReader,
  at: ListeningAt,
): { readonly issuer: string; readonly isDefault: boolean; readonly warnings: readonly string[] } {
  const allowHttp = read.flag('ALLOW_HTTP_ISSUER', false);
  if (at.port === undefined && at.tlsPort === undefined)
    read.faults.push('PORT=off needs TLS_CERT_FILE and TLS_KEY_FILE, or nothing would listen');
  const given = read.text('ISSUER');
  if (given === undefined) return { issuer: defaultIssuer(at), isDefault: true, warnings: [] };
  const fault = issuerFault(given, allowHttp) ?? mismatch(new URL(given), at);
  if (fault !== undefined) {
    read.faults.push(fault);
    return { issuer: given, isDefault: false, warnings: [] };
  }
  return { issuer: given, isDefault: false, warnings: doubts(new URL(given), at) };
}

/** RFC 8414 §2: https, no query, no fragment, and a path at which routes mount unchanged. */
function issuerFault(issuer: string, allowHttp: boolean): string | undefined {
  if (!/^https?:\/\/[^\s?#@\\]+$/.test(issuer) || !URL.canParse(issuer))
    return 'ISSUER must be an http(s) URL without query, fragment or credentials, such as https://as.example.com';
  const [, path = ''] = /^https?:\/\/[^/]+(.*)$/.exec(issuer) ?? [];
  if (!/^(\/[A-Za-z0-9._~-]+)*\/?$/.test(path) || /\/\.{1,2}(\/|$)/.test(path))
    return 'ISSUER must have a path of letters, digits, ".", "_", "~" and "-" between single slashes: clients and proxies write others in more than one way';
  const { protocol, hostname } = new URL(issuer);
  if (protocol === 'http:' && !isLoopback(hostname) && !allowHttp)
    return 'ISSUER must be https unless its host is loopback; ALLOW_HTTP_ISSUER=true overrides this for tests';
  return undefined;
}

/** Faults: the issuer's scheme differs from that of the listener on its port. */
function mismatch(issuer: URL, { port, tlsPort }: ListeningAt): string | undefined {
  if (!isLoopback(issuer.hostname)) return undefined;
  const asked = portOf(issuer);
  if (issuer.protocol === 'https:' && asked === port && port !== 0)
    return `ISSUER must not be https at port ${port}: the listener of PORT speaks plain HTTP. Set TLS_CERT_FILE, TLS_KEY_FILE and TLS_PORT, or use http`;
  if (issuer.protocol === 'http:' && asked === tlsPort && tlsPort !== 0)
    return `ISSUER must not be http at port ${tlsPort}: the listener of TLS_PORT speaks https`;
  if (issuer.protocol === 'http:' && port === undefined)
    return 'ISSUER must not be http with PORT=off: there is no plain listener';
  return undefined;
}

/** Warnings: settings that work only behind a proxy, which this server cannot see. */
function doubts(issuer: URL, { host, port, tlsPort }: ListeningAt): readonly string[] {
  if (!isLoopback(issuer.hostname)) return [];
  const listening = issuer.protocol === 'http:' ? port : tlsPort;
  if (portOf(issuer) !== listening)
    return [
      `ISSUER names port ${portOf(issuer)} of this machine, and ${
        listening === undefined
          ? 'no https listener is configured'
          : `the listener is at ${listening}`
      }: clients find it only if something forwards to it`,
    ];
  const anyOrLoopback = /^(localhost|127\..*|::1?|0\.0\.0\.0)$/.test(host);
  return anyOrLoopback
    ? []
    : [`ISSUER is on loopback, and HOST is not: clients on this machine do not reach it there`];
}

/** Whether the host of a URL or listener is a loopback address. */
export function isLoopback(host: string): boolean {
  return /^(localhost|\[?::1\]?)$/.test(host) || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
