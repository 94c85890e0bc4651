import { accessTokenSigningAlgorithms, signingAlgorithms } from '../../../src/jose/algorithms.ts';
import {
  type Check,
  callback,
  checkOptions,
  count,
  flag,
  isMembers,
  listOf,
  members,
  must,
  oneOf,
  optional,
  seconds,
  text,
  urlCheck,
} from '../../client/src/option-checks.ts';
import type { CacheLimits } from './issuer-keys.ts';
import type { IntrospectionOptions, IssuerOptions, ResourceServerOptions } from './options.ts';
import { derivedMembers } from './resource-metadata.ts';
import { verifiableMethods } from './verifiable-methods.ts';

/** Issuers, which may have plain HTTP URLs of other machines if `plainHttp`. */
function issuers(plainHttp: boolean): Check {
  const endpoint = urlCheck({ query: true, plainHttp });
  const url = urlCheck({ plainHttp });
  const issuer = members<IssuerOptions>({
    issuer: url,
    jwksUri: optional(endpoint),
    altCnf: optional(flag),
    jwks: optional(flag),
    introspection: optional(
      members<IntrospectionOptions>({
        clientId: text,
        clientSecret: text,
        endpoint: optional(endpoint),
      }),
    ),
  });
  const stringOrObject: Check = (name, value) => (isMembers(value) ? issuer : url)(name, value);
  return (name, value) => {
    if (!Array.isArray(value)) return stringOrObject(name, value);
    listOf(stringOrObject)(name, value);
    const names = value.map((one: string | IssuerOptions) =>
      typeof one === 'string' ? one : one.issuer,
    );
    const repeated = names.find((one, index) => names.indexOf(one) !== index);
    if (repeated !== undefined) throw new TypeError(`${name} must not repeat ${repeated}`);
  };
}

const metadata: Check = (name, value) => {
  must('an object', isMembers)(name, value);
  const derived = derivedMembers.find((member) => Object.hasOwn(value as object, member));
  if (derived !== undefined)
    throw new TypeError(`${name}.${derived} follows from the other options`);
};

const nonce = members<NonNullable<ResourceServerOptions['nonce']>>({
  secret: must(
    'a Uint8Array of 32 bytes or more',
    (value) => value instanceof Uint8Array && value.length >= 32,
  ),
  lifetime: optional(seconds(1)),
});

const cache = members<CacheLimits>({
  coolDown: optional(seconds()),
  failureCoolDown: optional(seconds()),
  stale: optional(seconds()),
  defaultAge: optional(seconds()),
  maxAge: optional(seconds()),
});

/** Checks every option of `resourceServer`. Throws TypeError. */
export function checkResourceServerOptions(options: unknown): void {
  checkOptions<ResourceServerOptions>('resourceServer', options, {
    issuer: issuers(isMembers(options) && options['allowInsecureRequests'] === true),
    allowInsecureRequests: optional(flag),
    audience: text,
    replay: optional(
      must(
        'an object with the function markUsed, such as memoryReplay()',
        (value) => isMembers(value) && typeof value['markUsed'] === 'function',
      ),
    ),
    nonce: optional(nonce),
    decryptionKeys: optional(listOf(must('a private JWK', isMembers), 0)),
    confirmationMethods: optional(listOf(oneOf(verifiableMethods))),
    dpopAlgs: optional(listOf(oneOf(signingAlgorithms))),
    tokenAlgs: optional(listOf(oneOf(accessTokenSigningAlgorithms))),
    maxProofAge: optional(seconds()),
    maxProofFuture: optional(seconds()),
    clockTolerance: optional(seconds()),
    altCnfMax: optional(count(0)),
    metadata: optional(metadata),
    cache: optional(cache),
    clock: optional(callback),
    fetch: optional(callback),
    onFetchFailure: optional(callback),
  });
}

const scope = optional(text);

/** Checks the scope of a route, scopes separated by spaces. Throws TypeError. */
export function checkRequiredScope(value: unknown): void {
  checkOptions<{ scope?: string }>('requireToken', { scope: value }, { scope });
}

/** Checks what a request must have, so that a misspelt member does not mean nothing. */
export function checkRequired(required: unknown): void {
  checkOptions<{ scope?: string }>('verify', required, { scope });
}
