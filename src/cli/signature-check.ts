import { compactVerify, createLocalJWKSet, importJWK, type JSONWebKeySet, type JWK } from 'jose';
import { serverMetadata } from '../../packages/client/src/metadata.ts';
import { issuerOf } from '../../packages/client/src/options.ts';
import { transport } from '../../packages/client/src/transport.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import type { JwtParts } from './jwt-parts.ts';

/** The result of a signature check, and whose keys it used. */
export interface SignatureCheck {
  readonly result: 'valid' | 'invalid' | 'not checked';
  readonly by: string;
}

/** Where the issuer's keys come from. */
export interface KeysOfIssuer {
  readonly issuer: string | undefined;
  readonly clock: () => number;
}

/**
 * Checks the signature of a JWS: a proof with the key in its header, others with keys of the issuer
 * that the user trusts, never one that only the token names. Throws CommandError.
 */
export async function checkSignature(
  jws: string,
  { header, claims }: JwtParts,
  keys: KeysOfIssuer,
): Promise<SignatureCheck> {
  if (claims === undefined) return notChecked('the token is encrypted');
  const { typ, jwk, alg } = header as {
    readonly typ?: unknown;
    readonly jwk?: JWK;
    readonly alg?: string;
  };
  if (typ === 'dpop+jwt' || typ === 'cnf-proof+jwt') {
    const by = 'the key in its own header';
    return { result: await verifies(jws, () => importJWK(jwk ?? {}, alg)), by };
  }
  const { issuer } = keys;
  if (issuer === undefined) return notChecked('name the issuer with --issuer or a profile');
  if (claims['iss'] !== issuer) return notChecked(`the token's issuer is not ${issuer}`);
  const set = createLocalJWKSet(await keySet(issuer, keys.clock));
  return { result: await verifies(jws, set), by: `the keys of ${issuer}` };
}

type KeyOf = Parameters<typeof compactVerify>[1];

async function verifies(jws: string, key: KeyOf): Promise<'valid' | 'invalid'> {
  try {
    await compactVerify(jws, key);
    return 'valid';
  } catch {
    return 'invalid';
  }
}

async function keySet(issuer: string, clock: () => number): Promise<JSONWebKeySet> {
  const timeout = 10_000;
  const send = transport(undefined, undefined);
  const url = issuerOf({ issuer, clientId: '' });
  const { jwks_uri: uri } = await serverMetadata({ issuer: url, send, timeout, clock })();
  if (uri === undefined)
    throw new CommandError(exitCodes.configuration, `The metadata of ${issuer} lack jwks_uri.`);
  const answer = await send(uri, { signal: AbortSignal.timeout(timeout) }).catch(() => undefined);
  if (answer?.status !== 200)
    throw new CommandError(exitCodes.unreachable, `The keys of ${issuer} cannot be fetched.`);
  return (await answer.json()) as JSONWebKeySet;
}

/** The result for a signature that could not be checked, and why. */
export function notChecked(by: string): SignatureCheck {
  return { result: 'not checked', by };
}
