import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RefusalReason, refusalReasons } from '../../src/domain/refusal-reasons.ts';
import { type Delegation, type DelegationRequest, delegation } from '../support/delegation.ts';
import { ath, aware, openPair, type Pair, seconds } from '../support/pair.ts';

const idToken = 'urn:ietf:params:oauth:token-type:id_token';
const elsewhere = 'https://other.example.com';

describe('RFC 8693 §2.1: a delegation is refused with', () => {
  let pair: Pair;
  let made: Delegation;
  beforeAll(async () => {
    pair = await openPair();
    made = await delegation(pair);
  });
  afterAll(async () => pair.server.stop());

  const proofs: readonly [string, RefusalReason, (pair: Pair) => DelegationRequest][] = [
    [
      'a proof by another key',
      'subject_proof_signer_mismatch',
      ({ thiefKey: signer }) => ({ signer }),
    ],
    [
      "a proof by the actor's own key",
      'subject_proof_signer_mismatch',
      ({ backendKey: signer }) => ({ signer }),
    ],
    [
      'a proof without a type',
      'subject_proof_typ_mismatch',
      () => ({ header: { typ: undefined } }),
    ],
    ['a proof without a key', 'subject_proof_malformed', () => ({ header: { jwk: undefined } })],
    [
      'a proof with the key of somebody else',
      'subject_proof_malformed',
      ({ thiefKey: { jwk } }) => ({ header: { jwk } }),
    ],
    [
      'a proof for another issuer',
      'subject_proof_aud_mismatch',
      () => ({ claims: { aud: elsewhere } }),
    ],
    [
      'a proof for another issuer, too',
      'subject_proof_aud_mismatch',
      ({ server }) => ({ claims: { aud: [server.issuer, elsewhere] } }),
    ],
    [
      'a proof for another actor',
      'subject_proof_client_mismatch',
      () => ({ claims: { client_id: 'printer' } }),
    ],
    [
      'a proof for no actor',
      'subject_proof_client_mismatch',
      () => ({ claims: { client_id: undefined } }),
    ],
    [
      'a proof for another key of the actor',
      'subject_proof_key_mismatch',
      ({ thiefKey: { jkt } }) => ({ claims: { cnf: { jkt } } }),
    ],
    [
      'a proof for two keys',
      'subject_proof_key_mismatch',
      ({ backendKey: { jkt } }) => ({ claims: { cnf: { jkt, kid: 'be-1' } } }),
    ],
    ['a proof for no key', 'subject_proof_key_mismatch', () => ({ claims: { cnf: undefined } })],
    [
      'a proof for another subject token',
      'subject_proof_ath_mismatch',
      () => ({ claims: { ath: ath('x') } }),
    ],
    [
      'a proof for no subject token',
      'subject_proof_ath_mismatch',
      () => ({ claims: { ath: undefined } }),
    ],
    [
      'a proof for another resource',
      'subject_proof_resource_mismatch',
      () => ({ claims: { resource: aware } }),
    ],
    [
      'a proof for no resource',
      'subject_proof_resource_mismatch',
      () => ({ claims: { resource: undefined } }),
    ],
    [
      'a proof without an end',
      'subject_proof_times_missing',
      () => ({ claims: { exp: undefined } }),
    ],
    [
      'a proof without a beginning',
      'subject_proof_times_missing',
      () => ({ claims: { iat: undefined } }),
    ],
    [
      'a proof of 121 seconds',
      'subject_proof_lifetime',
      () => ({ claims: { exp: seconds + 121 } }),
    ],
    [
      'a proof that has ended',
      'subject_proof_expired',
      () => ({ claims: { iat: seconds - 99, exp: seconds - 31 } }),
    ],
    [
      'a proof from the future',
      'subject_proof_not_yet_valid',
      () => ({ claims: { iat: seconds + 31 } }),
    ],
    ['a proof without jti', 'subject_proof_jti_invalid', () => ({ claims: { jti: undefined } })],
  ];
  const forms: readonly [string, RefusalReason, (made: Delegation) => object][] = [
    ['a proof that is no JWT', 'subject_proof_malformed', () => ({ subject_token_proof: 'abc' })],
    ['no proof', 'actor_token_incomplete', () => ({ subject_token_proof: undefined })],
    ['no actor_token', 'actor_token_incomplete', () => ({ actor_token: undefined })],
    ['no actor_token_type', 'actor_token_incomplete', () => ({ actor_token_type: undefined })],
    ['an ID token as actor token', 'actor_token_type', () => ({ actor_token_type: idToken })],
    ['an ID token as subject token', 'actor_token_type', () => ({ subject_token_type: idToken })],
    ['an actor token that is none', 'actor_token_not_ours', () => ({ actor_token: 'abc' })],
    [
      'the actor token of another client',
      'actor_token_of_another_client',
      ({ subjectToken }) => ({ actor_token: subjectToken }),
    ],
    ['an additional holder', 'alt_cnf_not_enabled', () => ({ req_alt_cnf: '[{"proof":"a.b.c"}]' })],
    ['a scope that the subject token has not', 'scope_not_allowed', () => ({ scope: 'admin' })],
  ];
  const actors: readonly [string, RefusalReason, (pair: Pair) => DelegationRequest][] = [
    [
      'the key of somebody else in the DPoP proof',
      'actor_token_key_mismatch',
      ({ thiefKey: actorKey }) => ({ actorKey }),
    ],
    [
      "the subject's key in the DPoP proof",
      'actor_token_key_mismatch',
      ({ appKey: actorKey }) => ({ actorKey }),
    ],
    ['no ath in the DPoP proof', 'actor_token_ath_mismatch', () => ({ dpop: { ath: undefined } })],
    [
      'ath of the subject token in the DPoP proof',
      'actor_token_ath_mismatch',
      () => ({ dpop: { ath: ath(made.subjectToken) } }),
    ],
  ];
  const ask = async (request: DelegationRequest) => {
    const { status, body } = await made.ask(request);
    const { reason } = pair.server.logs.findLast(({ msg }) => msg === 'request') ?? {};
    return status === 200 ? 'a token' : [body.error, reason];
  };
  const refusal = (reason: RefusalReason) => [refusalReasons[reason].code, reason];

  it.each(proofs)('%s', async (_, reason, request) => {
    expect(await ask(request(pair))).toEqual(refusal(reason));
  });
  it.each(forms)('%s, which uses up no proof', async (_, reason, change) => {
    const subject_token_proof = await made.proof();
    expect(await ask({ form: { subject_token_proof, ...change(made) } })).toEqual(refusal(reason));
    expect(await ask({ form: { subject_token_proof } })).toBe('a token');
  });
  it.each(actors)('%s, which uses up no proof', async (_, reason, request) => {
    const form = { subject_token_proof: await made.proof() };
    expect(await ask({ ...request(pair), form })).toEqual(refusal(reason));
    expect(await ask({ form })).toBe('a token');
  });
});
