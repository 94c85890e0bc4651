import ipaddr from 'ipaddr.js';
import { defined } from '../domain/defined.ts';
import { type CertificateHeaderForm, certificateHeaderForms } from '../x509/certificate-header.ts';
import type { EnvironmentReader } from './environment.ts';
import { readIssuer } from './issuer.ts';

/** The issuer, and where this server listens. */
export interface ListenerConfig {
  readonly issuer: string;
  /** Whether the issuer follows the listener, even if the system chooses the port. */
  readonly issuerIsDefault: boolean;
  readonly host: string;
  /** The plain listener: undefined if there is none (`PORT=off`), 0 if the system chooses. */
  readonly port: number | undefined;
  readonly adminHost: string;
  readonly adminPort: number;
  /** The origin at which admins call the admin API; absent: where it listens. */
  readonly adminUrl?: string;
  /** PEM files with which the admin listener speaks TLS. */
  readonly adminTls?: { readonly certFile: string; readonly keyFile: string };
  /** A listener for metrics only, which requires no token. */
  readonly metrics?: { readonly host: string; readonly port: number };
  /** The listener that asks for client certificates. */
  readonly tls?: {
    readonly host: string;
    readonly port: number;
    readonly certFile: string;
    readonly keyFile: string;
  };
  /** PEM file of trust anchors for client certificates. */
  readonly tlsClientCaFile?: string;
  /** CIDR ranges of trusted proxies. */
  readonly trustedProxies: readonly string[];
  readonly clientCertificateHeader?: CertificateHeaderForm;
}

/** Reads the issuer and the listeners; `warnings` are sentences about suspicious settings. */
export function readListenerConfig(
  read: EnvironmentReader,
): ListenerConfig & { readonly warnings: readonly string[] } {
  const tlsClientCaFile = read.text('TLS_CLIENT_CA_FILE');
  const host = read.text('HOST') ?? 'localhost';
  const port = read.text('PORT') === 'off' ? undefined : read.port('PORT', 8080);
  const { tls } = readTls(read, host);
  const { issuer, isDefault, warnings } = readIssuer(read, { host, port, tlsPort: tls?.port });
  return {
    issuer,
    issuerIsDefault: isDefault,
    host,
    port,
    adminHost: read.text('ADMIN_HOST') ?? '127.0.0.1',
    adminPort: read.port('ADMIN_PORT', 8081),
    ...readAdminUrl(read),
    ...readAdminTls(read),
    ...readMetrics(read),
    ...defined({ tls, tlsClientCaFile }),
    ...readProxies(read),
    warnings,
  };
}

function readAdminUrl(read: EnvironmentReader): Pick<ListenerConfig, 'adminUrl'> {
  const url = read.text('ADMIN_URL');
  if (url === undefined) return {};
  const origin = URL.canParse(url) ? new URL(url).origin : undefined;
  if (origin === undefined || !/^https?:/.test(url) || url.replace(/\/$/, '') !== origin)
    read.faults.push(
      'ADMIN_URL must be an http or https origin, such as https://admin.example.com',
    );
  return { adminUrl: origin ?? '' };
}

function readAdminTls(read: EnvironmentReader): Pick<ListenerConfig, 'adminTls'> {
  const certFile = read.text('ADMIN_TLS_CERT_FILE');
  const keyFile = read.text('ADMIN_TLS_KEY_FILE');
  if (certFile === undefined && keyFile === undefined) return {};
  if (certFile === undefined || keyFile === undefined)
    read.faults.push('ADMIN_TLS_CERT_FILE and ADMIN_TLS_KEY_FILE belong together');
  return { adminTls: { certFile: certFile ?? '', keyFile: keyFile ?? '' } };
}

function readMetrics(read: EnvironmentReader): Pick<ListenerConfig, 'metrics'> {
  const host = read.text('METRICS_HOST');
  if (read.text('METRICS_PORT') !== undefined)
    return { metrics: { host: host ?? '127.0.0.1', port: read.port('METRICS_PORT', 0) } };
  if (host !== undefined) read.faults.push('METRICS_HOST needs METRICS_PORT');
  return {};
}

function readTls(read: EnvironmentReader, host: string): Pick<ListenerConfig, 'tls'> {
  const certFile = read.text('TLS_CERT_FILE');
  const keyFile = read.text('TLS_KEY_FILE');
  const port = read.port('TLS_PORT', 8443);
  if (certFile === undefined && keyFile === undefined) return {};
  if (certFile === undefined || keyFile === undefined)
    read.faults.push('TLS_CERT_FILE and TLS_KEY_FILE belong together');
  return {
    tls: {
      host: read.text('TLS_HOST') ?? host,
      port,
      certFile: certFile ?? '',
      keyFile: keyFile ?? '',
    },
  };
}

function readProxies(
  read: EnvironmentReader,
): Pick<ListenerConfig, 'trustedProxies' | 'clientCertificateHeader'> {
  const trustedProxies = (read.text('TRUSTED_PROXIES') ?? '')
    .split(/[ ,]+/)
    .filter((range) => range !== '');
  if (!trustedProxies.every((range) => ipaddr.isValidCIDR(range)))
    read.faults.push('TRUSTED_PROXIES must be a list of CIDR ranges, such as 10.0.0.0/8');
  const form = read.oneOf('CLIENT_CERTIFICATE_HEADER', ['off', ...certificateHeaderForms], 'off');
  if (form === 'off') return { trustedProxies };
  if (trustedProxies.length === 0)
    read.faults.push(
      'CLIENT_CERTIFICATE_HEADER needs TRUSTED_PROXIES, or anybody could claim any certificate',
    );
  return { trustedProxies, clientCertificateHeader: form };
}
