import { describe, expect, it } from 'vitest';
import { OAuthError } from '../../src/domain/oauth-error.ts';
import { refusalChapters, refusalReasons } from '../../src/domain/refusal-reasons.ts';

const refusals = Object.entries(refusalReasons);

describe('RFC 6749 §5.2: error_description is a constant', () => {
  it('a refusal takes its code and its description from its reason', () => {
    const { code, message, status, reason } = new OAuthError('proof_iat_too_old');
    expect([code, message, status, reason]).toEqual([
      'invalid_dpop_proof',
      'iat of the DPoP proof is too old',
      400,
      'proof_iat_too_old',
    ]);
  });
  it('the type check refuses any other text', () => {
    const sent: string = 'proof_missing';
    const refused = [
      // @ts-expect-error: a text from elsewhere
      new OAuthError(sent),
      // @ts-expect-error: a template literal
      new OAuthError(`proof_${sent.slice(6)}`),
    ];
    expect(refused.length).toBe(2);
  });
  it('a description has only the characters that RFC 6749 §5.2 allows', () => {
    const wrong = refusals.filter(
      ([, { sentence }]) => !/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/.test(sentence),
    );
    expect(wrong).toEqual([]);
  });
  it('no reason is in two chapters', () => {
    const all = Object.values(refusalChapters).flatMap((chapter) => Object.keys(chapter));
    expect(all.toSorted()).toEqual(refusals.map(([reason]) => reason).toSorted());
  });
});
