import { edits } from './edit-distance.ts';

/** Every variable that Holdfast reads: other names cannot be read. */
export const variableNames = [
  'ISSUER',
  'HOST',
  'PORT',
  'ADMIN_HOST',
  'ADMIN_PORT',
  'ADMIN_TOKEN',
  'ADMIN_URL',
  'ADMIN_TLS_CERT_FILE',
  'ADMIN_TLS_KEY_FILE',
  'GATEWAY_HOST',
  'GATEWAY_PORT',
  'GATEWAY_TOKEN',
  'METRICS_HOST',
  'METRICS_PORT',
  'METRICS_CLIENT_ID',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_TRACES_SAMPLER_ARG',
  'CONFIG_FILE',
  'DATABASE_URL',
  'REDIS_URL',
  'KEY_ENCRYPTION_KEY',
  'KEY_ENCRYPTION_KEY_NEXT',
  'LOG_LEVEL',
  'DPOP_SIGNING_ALGS',
  'CLIENT_ASSERTION_SIGNING_ALGS',
  'DPOP_PROOF_MAX_AGE',
  'DPOP_PROOF_MAX_FUTURE',
  'DPOP_NONCE',
  'DPOP_NONCE_LIFETIME',
  'DPOP_NONCE_SECRET_ROTATION_INTERVAL',
  'DPOP_NONCE_REFUSE_PERCENT',
  'CLIENT_ASSERTION_MAX_LIFETIME',
  'CLOCK_TOLERANCE',
  'ALT_CNF_MAX',
  'ALT_CNF_MAX_LIFETIME',
  'CNF_PROOF_MAX_LIFETIME',
  'ALT_CNF_REGISTERED_KEY_MAX_AGE',
  'ID_TOKEN_MAX_AGE',
  'ACCESS_TOKEN_MAX_LIFETIME',
  'JWKS_MAX_AGE',
  'STATUS_LIST_MAX_AGE',
  'JWKS_URI_ALLOW_PRIVATE_ADDRESSES',
  'TRUST_BUNDLE_DIRECTORY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'SIGNING_KEY_ROTATION_INTERVAL',
  'SIGNING_KEY_ANNOUNCEMENT',
  'TLS_HOST',
  'TLS_PORT',
  'TLS_CERT_FILE',
  'TLS_KEY_FILE',
  'TLS_CLIENT_CA_FILE',
  'TRUSTED_PROXIES',
  'CLIENT_CERTIFICATE_HEADER',
  'AUDIT_RETENTION',
  'AUDIT_SINK',
  'AUDIT_SINK_ALLOW_PRIVATE_ADDRESSES',
  'AUDIT_WEBHOOK_SECRET',
  'AUDIT_WEBHOOK_SECRET_FILE',
  'CLEANUP_INTERVAL',
  'WORKERS',
  'DATABASE_POOL_SIZE',
  'DATABASE_PREPARED_STATEMENTS',
  'MAX_CONCURRENT_REQUESTS',
  'TARGET_LATENCY_MS',
  'RATE_LIMIT_PER_CLIENT',
  'RATE_LIMIT_PER_ADDRESS',
  'SHUTDOWN_DELAY_MS',
  'SHUTDOWN_TIMEOUT_MS',
  'ALLOW_HTTP_ISSUER',
  'DEVELOPMENT',
  'KEY_ENCRYPTION_KEY_FILE',
  'KEY_ENCRYPTION_KEY_NEXT_FILE',
  'ADMIN_TOKEN_FILE',
  'GATEWAY_TOKEN_FILE',
  'DATABASE_URL_FILE',
  'REDIS_URL_FILE',
] as const;
export type VariableName = (typeof variableNames)[number];

/** Variables whose value is a secret, and may be in a file that `NAME_FILE` names. */
export type SecretVariable =
  | 'ADMIN_TOKEN'
  | 'AUDIT_WEBHOOK_SECRET'
  | 'GATEWAY_TOKEN'
  | 'DATABASE_URL'
  | 'REDIS_URL';

/** New names of variables that were renamed. */
const newNames: Readonly<Record<string, VariableName>> = {
  HOUSEKEEPING_INTERVAL: 'CLEANUP_INTERVAL',
  MAX_REQUESTS_UNDER_WAY: 'MAX_CONCURRENT_REQUESTS',
  TARGET_MS_UNDER_WAY: 'TARGET_LATENCY_MS',
};

/** Returns a fault for each variable that is set by its old name. */
export function renamedVariables(
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  return Object.entries(newNames).flatMap(([old, name]) =>
    env[old] === undefined || env[old] === '' ? [] : [`${old} is now called ${name}`],
  );
}

/** Similar names that belong to others: some of every system, and those of HTTP clients. */
const neverMeant: ReadonlySet<string> = new Set(['HOME', 'HTTP_PROXY', 'SSL_CERT_FILE']);

/**
 * A sentence for each variable whose name is one or two edits from one that Holdfast reads.
 * `others`: names with another purpose.
 */
export function misspeltVariables(
  env: Readonly<Record<string, string | undefined>>,
  others: ReadonlySet<string> = new Set(),
): readonly string[] {
  const known: ReadonlySet<string> = new Set(variableNames);
  return Object.keys(env).flatMap((name) => {
    if (known.has(name) || neverMeant.has(name) || others.has(name)) return [];
    const [nearest, ...more] = variableNames
      .map((variable) => ({ variable, edits: edits(name, variable) }))
      .filter((candidate) => candidate.edits <= 2)
      .sort((a, b) => a.edits - b.edits);
    if (nearest === undefined) return [];
    const equal = more.filter((candidate) => candidate.edits === nearest.edits);
    const meant = [nearest, ...equal].map(({ variable }) => variable).join(' or ');
    return [`${name} is not a variable of Holdfast and has no effect; is ${meant} meant?`];
  });
}
