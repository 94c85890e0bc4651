import type { Authentication } from './authentication.ts';
import { HolderError } from './holder-error.ts';
import { keyAlgorithms } from './keys/holder-key.ts';
import {
  type Check,
  type Checks,
  callback,
  checkMembers,
  count,
  flag,
  isMembers,
  listOf,
  must,
  oneOf,
  optional,
  text,
} from './option-checks.ts';
import type { HolderOptions, Target } from './options.ts';
import type { Exchange } from './token-exchange.ts';

const anything: Check = () => undefined;

const methods: Readonly<Record<Authentication['method'], true>> = {
  client_secret_basic: true,
  client_secret_post: true,
  private_key_jwt: true,
  workload_jwt: true,
  spiffe_jwt: true,
  tls_client_auth: true,
  self_signed_tls_client_auth: true,
  none: true,
};

const isTokenSource = (value: unknown) =>
  typeof value === 'function' || (isMembers(value) && typeof value['file'] === 'string');

const authentication: Check = (name, value) => {
  must('an object', isMembers)(name, value);
  const { method, secret, token, kid } = value as Readonly<Record<string, unknown>>;
  oneOf(Object.keys(methods))(`${name}.method`, method);
  if (method === 'client_secret_basic' || method === 'client_secret_post')
    text(`${name}.secret`, secret);
  if (method === 'workload_jwt' || method === 'spiffe_jwt')
    must('a function, or an object with a file', isTokenSource)(`${name}.token`, token);
  optional(text)(`${name}.kid`, kid);
};

const origin = must(
  'an http or https URL',
  (value) =>
    typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
  true,
);

const additionalHolder = must(
  'a function, a holder, or an object with clientId and kid',
  (value) => {
    if (typeof value === 'function') return true;
    if (!isMembers(value)) return false;
    const { proveFor, clientId, kid } = value;
    const registered = typeof clientId === 'string' && typeof kid === 'string';
    return typeof proveFor === 'function' || registered;
  },
);

const target: Checks<Target> = {
  resource: optional(text),
  scope: optional(text),
  origins: optional(listOf(origin, 0)),
};

/** Milliseconds that a timer can wait. */
const maxTimeout = 2 ** 31 - 1;

const holderOptions: Checks<HolderOptions> = {
  ...target,
  // `issuerOf` and `openKey` say what these must be.
  issuer: anything,
  key: anything,
  clientId: text,
  clientSecret: optional(text),
  authentication: optional(authentication),
  alg: optional(oneOf(keyAlgorithms)),
  kid: optional(text),
  certificate: optional(
    must(
      'a string (PEM) or a Uint8Array (DER)',
      (value) => typeof value === 'string' || value instanceof Uint8Array,
    ),
  ),
  fetch: optional(callback),
  dispatcher: optional(must('an object', (value) => typeof value === 'object' && value !== null)),
  additionalHolders: optional(listOf(additionalHolder, 0)),
  timeout: optional(count(1, 'a whole number of milliseconds', maxTimeout)),
  allowInsecureRequests: optional(flag),
  nonces: optional(must('a Map', (value) => value instanceof Map)),
  clock: optional(callback),
};

/** Checks every option of `createHolder`. Throws HolderError. */
export function checkHolderOptions(options: unknown): void {
  checked(options, holderOptions);
  const { clientSecret, authentication: other } = options as HolderOptions;
  if ('clientSecret' in (options as object) && clientSecret === undefined && other === undefined)
    throw new HolderError('invalid_options', 'clientSecret is undefined: is the variable set?');
}

/** Checks what to request tokens for. Throws HolderError. */
export function checkedTarget(asked: Target): Target {
  checked(asked, target);
  return asked;
}

/** Checks a token exchange; the token itself is checked when it is needed. Throws HolderError. */
export function checkedExchange(asked: Exchange): Exchange {
  checked<Exchange>(asked, {
    ...target,
    subjectToken: anything,
    subjectTokenType: optional(oneOf(['access_token', 'id_token'])),
  });
  return asked;
}

function checked<Options>(options: unknown, checks: Checks<Options>): void {
  try {
    checkMembers(options, checks);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new HolderError('invalid_options', error.message);
  }
}
