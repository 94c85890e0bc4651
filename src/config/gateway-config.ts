import type { EnvironmentReader } from './environment.ts';
import { isLoopback } from './issuer.ts';

/** Where gateways ask whether a request may pass. */
export interface GatewayConfig {
  readonly listen:
    | { readonly host: string; readonly port: number }
    /** A Unix socket, accessible to its user and group. */
    | { readonly path: string };
  /** What gateways send as `Holdfast-Gateway-Token`. */
  readonly token?: string;
}

/**
 * Reads `GATEWAY_*`; undefined without `GATEWAY_PORT`, which means no such listener.
 * `forwardsCertificates`: whether proxies forward client certificates, which are public.
 */
export function readGatewayConfig(
  read: EnvironmentReader,
  forwardsCertificates: boolean,
): GatewayConfig | undefined {
  const token = read.matchingSecret(
    'GATEWAY_TOKEN',
    /^[\x21-\x7e]{32,512}$/,
    '32 to 512 printable characters without spaces',
  );
  const host = read.text('GATEWAY_HOST') ?? '127.0.0.1';
  const given = read.text('GATEWAY_PORT');
  if (given === undefined) {
    if (token !== undefined) read.faults.push('GATEWAY_TOKEN needs GATEWAY_PORT');
    return undefined;
  }
  const optional = token !== undefined && { token };
  const [, path] = /^unix:(\/.*)$/.exec(given) ?? [];
  if (path !== undefined) return { listen: { path }, ...optional };
  if (given.startsWith('unix:'))
    read.faults.push('GATEWAY_PORT must name a Unix socket by its absolute path: unix:/PATH');
  else if (token === undefined && !isLoopback(host))
    read.faults.push('GATEWAY_TOKEN is required where GATEWAY_HOST is not on loopback');
  else if (token === undefined && forwardsCertificates)
    read.faults.push(
      'GATEWAY_TOKEN is required with CLIENT_CERTIFICATE_HEADER, or every user of this machine could claim any certificate',
    );
  const port = given.startsWith('unix:') ? 0 : read.port('GATEWAY_PORT', 0);
  return { listen: { host, port }, ...optional };
}
