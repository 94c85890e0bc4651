import type { SingleUse } from '../../../src/domain/single-use.ts';
import type { ReplayStore } from '../../../src/ports/replay-store.ts';
import { candidatesOf } from './candidates.ts';
import { checkRequired } from './check-options.ts';
import { checkClaims } from './claims.ts';
import { readCredentials } from './credentials.ts';
import { holderOf } from './holder.ts';
import type {
  Presented,
  PresentedRequest,
  ResourceServer,
  ResourceServerOptions,
  VerifyPresented,
} from './options.ts';
import { shownKey } from './proof.ts';
import { Refused, type Scheme, TokenRefused } from './refusal.ts';
import { readSettings, type Settings } from './settings.ts';
import { signedByIssuer } from './trusted-issuers.ts';

export type { SingleUse } from '../../../src/domain/single-use.ts';
export type { ReplayStore } from '../../../src/ports/replay-store.ts';
export type { AccessTokenClaims } from './claims.ts';
export type { HeaderFields } from './credentials.ts';
export type { CacheLimits } from './issuer-keys.ts';
export type {
  IntrospectionOptions,
  IssuerOptions,
  Presented,
  PresentedRequest,
  ResourceMetadata,
  ResourceServer,
  ResourceServerOptions,
  VerifyPresented,
} from './options.ts';
export { type RefusalCode, TokenRefused } from './refusal.ts';
export { memoryReplay, type RedisClient, type RedisReplayOptions, redisReplay } from './replay.ts';
export type { VerifiableMethod } from './verifiable-methods.ts';

/**
 * Builds the check of key-bound access tokens (RFC 9068 §4, RFC 9449 §7, RFC 8705 §3,
 * docs/protocol.md). A request passes only with its own proof by a key that the token names. Throws
 * TypeError if an option is wrong.
 */
export function resourceServer(options: ResourceServerOptions): ResourceServer {
  const settings = readSettings(options);
  const { offers, metadata } = settings;
  const check: VerifyPresented = async (request, required = {}) => {
    checkRequired(required);
    const { scope } = required;
    try {
      return await verify(settings, request, scope);
    } catch (fault) {
      throw fault instanceof Refused
        ? new TokenRefused(fault.refusal, offers, metadata?.url)
        : fault;
    }
  };
  return Object.assign(check, { metadata });
}

async function verify(
  settings: Settings,
  request: PresentedRequest,
  requiredScope: string | undefined,
): Promise<Presented> {
  const { audience, methods, clockTolerance, proof } = settings;
  const credentials = readCredentials(request.headers, settings.schemes);
  const { token, scheme } = credentials;
  const { jws, issuer } = await signedByIssuer(token, settings.issuers, settings.tokenAlgs);
  const claims = checkClaims(jws.header, jws.payload, {
    issuer: issuer.issuer,
    audience,
    now: settings.clock() / 1000,
    clockTolerance,
  });
  const trust = {
    altCnf: issuer.altCnf === true,
    jwks: issuer.jwks === true,
    jwe: settings.symmetric,
    max: settings.altCnfMax,
  };
  const candidates = candidatesOf(claims, trust).filter((one) => methods.includes(one.method));
  const shown = shownKey(credentials, request, candidates, proof);
  const { presenter, method } = await holderOf(shown, candidates, issuer.keys);
  const scopes = claims.scope?.split(' ').filter((scope) => scope !== '') ?? [];
  checkScope(scopes, requiredScope);
  await issuer.introspect?.({ credentials, request, presenter });
  // The issuer has marked a DPoP proof, but cannot read one by a symmetric key.
  if (shown.use !== undefined && (issuer.introspect === undefined || scheme !== 'DPoP'))
    await markUsed(settings.replay, shown.use, scheme);
  return {
    presenter,
    method,
    thumbprint: shown.thumbprint,
    claims,
    scopes,
    ...(shown.freshNonce !== undefined && { dpopNonce: shown.freshNonce }),
  };
}

function checkScope(scopes: readonly string[], required: string | undefined): void {
  const missing = required?.split(' ').some((scope) => scope !== '' && !scopes.includes(scope));
  if (missing === true && required !== undefined)
    throw new Refused({
      error: 'insufficient_scope',
      description: 'the access token lacks the required scope',
      reason: 'scope_missing',
      scope: required,
    });
}

async function markUsed(replay: ReplayStore, use: SingleUse, scheme: Scheme): Promise<void> {
  let first: boolean | undefined;
  try {
    [first] = await replay.markUsed([use]);
  } catch (cause) {
    // Fail closed: a proof that is not recorded could be used again.
    throw new Refused({
      error: 'temporarily_unavailable',
      description: 'the proof cannot be recorded now',
      reason: 'replay_unavailable',
      cause,
    });
  }
  if (first !== true)
    throw new Refused({
      error: 'invalid_dpop_proof',
      description: 'the proof was used before',
      reason: 'proof_replayed',
      of: [scheme],
    });
}
