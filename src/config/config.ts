import { readFileSync } from 'node:fs';
import ipaddr from 'ipaddr.js';
import { type SigningAlgorithm, signingAlgorithms } from '../jose/algorithms.ts';
import { type CertificateHeaderForm, certificateHeaderForms } from '../x509/certificate-header.ts';
import { DatabaseUrlError, databaseFile, databaseKind } from './database-url.ts';
import { type EnvironmentReader, environmentReader } from './environment.ts';
import { readIssuer } from './issuer.ts';
import { misspeltVariables, type VariableName } from './variable-names.ts';

/** Everything an operator can set. Times in seconds unless a name says otherwise. */
export interface Config {
  readonly issuer: string;
  /** Nobody set it: it follows the listener, also where the system chooses the port. */
  readonly issuerIsDefault: boolean;
  readonly host: string;
  /** Of the plain listener; undefined where there is none (`PORT=off`). 0: the system chooses. */
  readonly port: number | undefined;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly adminToken?: string;
  readonly databaseUrl: string;
  readonly redisUrl?: string;
  readonly logLevel: string;
  readonly keyEncryptionKey?: string;
  readonly keyEncryptionKeyFile: string;
  /** The key-encryption key that is to come, by itself or in a file. */
  readonly nextKeyEncryptionKey: { readonly value?: string; readonly file?: string };
  readonly dpopAlgs: readonly SigningAlgorithm[];
  readonly dpopProofMaxAge: number;
  readonly dpopProofMaxFuture: number;
  readonly dpopNonceRequired: boolean;
  readonly dpopNonceLifetime: number;
  readonly dpopNonceRefusePercent: number;
  readonly dpopNonceSecretRotationInterval: number;
  readonly assertionAlgs: readonly SigningAlgorithm[];
  readonly assertionMaxLifetime: number;
  readonly clockTolerance: number;
  readonly altCnfMax: number;
  readonly altCnfMaxLifetime: number;
  readonly cnfProofMaxLifetime: number;
  readonly altCnfRegisteredKeyMaxAge: number;
  readonly idTokenMaxAge: number;
  readonly accessTokenMaxLifetime: number;
  readonly jwksMaxAge: number;
  readonly statusListMaxAge: number;
  readonly signingKeyRotationInterval: number;
  readonly signingKeyAnnouncement: number;
  readonly jwksUriAllowPrivateAddresses: boolean;
  /** The listener that asks for client certificates. */
  readonly tls?: {
    readonly host: string;
    readonly port: number;
    readonly certFile: string;
    readonly keyFile: string;
  };
  /** PEM file of trust anchors for client certificates. */
  readonly tlsClientCaFile?: string;
  readonly trustedProxies: readonly string[];
  readonly clientCertificateHeader?: CertificateHeaderForm;
  /** Seconds that audit events are kept. */
  readonly auditRetention: number;
  readonly housekeepingInterval: number;
  /** Processes that serve on this machine. */
  readonly workers: number;
  readonly databasePoolSize: number;
  readonly databasePreparedStatements: boolean;
  readonly maxRequestsUnderWay: number;
  readonly targetMsUnderWay: number;
  /** Requests a minute. */
  readonly rateLimitPerClient?: number;
  readonly rateLimitPerAddress?: number;
  readonly shutdownDelayMs: number;
  readonly shutdownTimeoutMs: number;
  /** Sentences about what is probably not meant. */
  readonly warnings: readonly string[];
}

/** The environment has faults; the message names every one of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

// RS256 is left out: PKCS #1 v1.5 is for old clients only, and an operator who has some can add it.
const defaultAlgs = signingAlgorithms.filter((alg) => alg !== 'RS256');

/**
 * Reads the environment, and the files that a `NAME_FILE` names; an empty variable counts as not
 * set. Throws ConfigError.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): Config {
  const read = environmentReader(env, readFile);
  const databaseUrl = readDatabaseUrl(read);
  const adminToken = read.matchingSecret(
    'ADMIN_TOKEN',
    /^[\x21-\x7e]{32,512}$/,
    'at least 32 printable characters without spaces',
  );
  const redisUrl = read.matchingSecret('REDIS_URL', /^rediss?:\/\/.+/, 'redis://… or rediss://…');
  const keyEncryptionKey = readKey(read, 'KEY_ENCRYPTION_KEY');
  const tlsClientCaFile = read.text('TLS_CLIENT_CA_FILE');
  const host = read.text('HOST') ?? 'localhost';
  const port = read.text('PORT') === 'off' ? undefined : read.port('PORT', 8080);
  const { tls } = readTls(read);
  const { issuer, isDefault, warnings } = readIssuer(read, { host, port, tlsPort: tls?.port });
  const config: Config = {
    issuer,
    issuerIsDefault: isDefault,
    host,
    port,
    adminHost: read.text('ADMIN_HOST') ?? '127.0.0.1',
    adminPort: read.port('ADMIN_PORT', 8081),
    ...(adminToken !== undefined && { adminToken }),
    databaseUrl,
    ...(redisUrl !== undefined && { redisUrl }),
    logLevel: read.oneOf(
      'LOG_LEVEL',
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'info',
    ),
    ...(keyEncryptionKey !== undefined && { keyEncryptionKey }),
    keyEncryptionKeyFile: read.text('KEY_ENCRYPTION_KEY_FILE') ?? defaultKeyFile(databaseUrl),
    nextKeyEncryptionKey: readNextKey(read),
    dpopAlgs: read.list('DPOP_SIGNING_ALGS', signingAlgorithms, defaultAlgs),
    dpopProofMaxAge: read.integer('DPOP_PROOF_MAX_AGE', 60, 1, 3600),
    dpopProofMaxFuture: read.integer('DPOP_PROOF_MAX_FUTURE', 30, 0, 3600),
    dpopNonceRequired: read.oneOf('DPOP_NONCE', ['off', 'required'], 'off') === 'required',
    dpopNonceLifetime: read.integer('DPOP_NONCE_LIFETIME', 120, 1, 3600),
    dpopNonceRefusePercent: read.integer('DPOP_NONCE_REFUSE_PERCENT', 0, 0, 90),
    dpopNonceSecretRotationInterval: read.integer(
      'DPOP_NONCE_SECRET_ROTATION_INTERVAL',
      86_400,
      3600,
      999_999_999,
    ),
    assertionAlgs: read.list('CLIENT_ASSERTION_SIGNING_ALGS', signingAlgorithms, defaultAlgs),
    assertionMaxLifetime: read.integer('CLIENT_ASSERTION_MAX_LIFETIME', 300, 10, 3600),
    clockTolerance: read.integer('CLOCK_TOLERANCE', 30, 0, 300),
    altCnfMax: read.integer('ALT_CNF_MAX', 3, 1, 10),
    altCnfMaxLifetime: read.integer('ALT_CNF_MAX_LIFETIME', 300, 10, 86_400),
    cnfProofMaxLifetime: read.integer('CNF_PROOF_MAX_LIFETIME', 300, 10, 3600),
    altCnfRegisteredKeyMaxAge: read.integer(
      'ALT_CNF_REGISTERED_KEY_MAX_AGE',
      7_776_000,
      60,
      31_536_000,
    ),
    idTokenMaxAge: read.integer('ID_TOKEN_MAX_AGE', 300, 10, 86_400),
    accessTokenMaxLifetime: read.integer('ACCESS_TOKEN_MAX_LIFETIME', 86_400, 30, 604_800),
    ...readRotation(read),
    jwksMaxAge: read.integer('JWKS_MAX_AGE', 300, 0, 86_400),
    statusListMaxAge: read.integer('STATUS_LIST_MAX_AGE', 120, 10, 86_400),
    jwksUriAllowPrivateAddresses:
      read.oneOf('JWKS_URI_ALLOW_PRIVATE_ADDRESSES', ['true', 'false'], 'false') === 'true',
    ...(tls !== undefined && { tls }),
    ...(tlsClientCaFile !== undefined && { tlsClientCaFile }),
    ...readProxies(read),
    auditRetention: read.integer('AUDIT_RETENTION', 400 * 86_400, 604_800, 999_999_999),
    housekeepingInterval: read.integer('HOUSEKEEPING_INTERVAL', 10, 1, 3600),
    workers: read.integer('WORKERS', 1, 1, 256),
    databasePoolSize: read.integer('DATABASE_POOL_SIZE', 10, 1, 1000),
    databasePreparedStatements:
      read.oneOf('DATABASE_PREPARED_STATEMENTS', ['true', 'false'], 'true') === 'true',
    maxRequestsUnderWay: read.integer('MAX_REQUESTS_UNDER_WAY', 512, 1, 100_000),
    targetMsUnderWay: read.integer('TARGET_MS_UNDER_WAY', 100, 5, 10_000),
    ...readRateLimits(read),
    shutdownDelayMs: read.integer('SHUTDOWN_DELAY_MS', 0, 0, 60_000),
    shutdownTimeoutMs: read.integer('SHUTDOWN_TIMEOUT_MS', 10_000, 0, 600_000),
    warnings: [...misspeltVariables(env), ...warnings],
  };
  if (read.faults.length > 0)
    throw new ConfigError(
      `The environment has faults:\n${read.faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
  return config;
}

/** A successor that is announced before its predecessor signs would be followed by its own at once, and so on. */
function readRotation(
  read: EnvironmentReader,
): Pick<Config, 'signingKeyRotationInterval' | 'signingKeyAnnouncement'> {
  const signingKeyRotationInterval = read.integer(
    'SIGNING_KEY_ROTATION_INTERVAL',
    90 * 86_400,
    3600,
    999_999_999,
  );
  const standard = Math.min(14 * 86_400, Math.floor(signingKeyRotationInterval / 2));
  const signingKeyAnnouncement = read.integer('SIGNING_KEY_ANNOUNCEMENT', standard, 0, 999_999_999);
  if (signingKeyAnnouncement >= signingKeyRotationInterval)
    read.faults.push('SIGNING_KEY_ANNOUNCEMENT must be less than SIGNING_KEY_ROTATION_INTERVAL');
  return { signingKeyRotationInterval, signingKeyAnnouncement };
}

function readKey(
  read: EnvironmentReader,
  name: 'KEY_ENCRYPTION_KEY' | 'KEY_ENCRYPTION_KEY_NEXT',
): string | undefined {
  return read.matching(name, /^[A-Za-z0-9_-]{43}$/, 'base64url of 32 octets (43 characters)');
}

function readNextKey(read: EnvironmentReader): Config['nextKeyEncryptionKey'] {
  const [value, file] = [
    readKey(read, 'KEY_ENCRYPTION_KEY_NEXT'),
    read.text('KEY_ENCRYPTION_KEY_NEXT_FILE'),
  ];
  return { ...(value !== undefined && { value }), ...(file !== undefined && { file }) };
}

function readTls(read: EnvironmentReader): Pick<Config, 'tls'> {
  const [certFile, keyFile, port] = [
    read.text('TLS_CERT_FILE'),
    read.text('TLS_KEY_FILE'),
    read.port('TLS_PORT', 8443),
  ];
  if (certFile === undefined && keyFile === undefined) return {};
  if (certFile === undefined || keyFile === undefined)
    read.faults.push('TLS_CERT_FILE and TLS_KEY_FILE belong together');
  return {
    tls: {
      host: read.text('TLS_HOST') ?? read.text('HOST') ?? 'localhost',
      port,
      certFile: certFile ?? '',
      keyFile: keyFile ?? '',
    },
  };
}

function readRateLimits(
  read: EnvironmentReader,
): Pick<Config, 'rateLimitPerClient' | 'rateLimitPerAddress'> {
  const limit = (name: VariableName) =>
    read.text(name) === undefined ? undefined : read.integer(name, 0, 1, 999_999_999);
  const [rateLimitPerClient, rateLimitPerAddress] = [
    limit('RATE_LIMIT_PER_CLIENT'),
    limit('RATE_LIMIT_PER_ADDRESS'),
  ];
  return {
    ...(rateLimitPerClient !== undefined && { rateLimitPerClient }),
    ...(rateLimitPerAddress !== undefined && { rateLimitPerAddress }),
  };
}

function readProxies(
  read: EnvironmentReader,
): Pick<Config, 'trustedProxies' | 'clientCertificateHeader'> {
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

function readDatabaseUrl(read: EnvironmentReader): string {
  const url =
    read.matchingSecret(
      'DATABASE_URL',
      /^(file:.+|postgres(ql)?:\/\/.+)/,
      'file:PATH or postgresql://…',
    ) ?? 'file:data/holdfast.db';
  if (databaseKind(url) === 'postgresql') return url;
  try {
    databaseFile(url);
    return url;
  } catch (fault) {
    if (!(fault instanceof DatabaseUrlError)) throw fault;
    read.faults.push(`DATABASE_URL has ${fault.message}`);
    return 'file:data/holdfast.db';
  }
}

function defaultKeyFile(databaseUrl: string): string {
  const path = databaseKind(databaseUrl) === 'sqlite' ? databaseFile(databaseUrl) : 'data/holdfast';
  return `${path.replace(/\.(db|sqlite3?)$/, '')}.key-encryption-key`;
}
