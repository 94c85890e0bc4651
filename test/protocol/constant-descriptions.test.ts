import { describe, expect, it } from 'vitest';
import { OAuthError } from '../../src/domain/oauth-error.ts';

describe('RFC 6749 §5.2: a description is a constant', () => {
  const sent: string = 'what a client sent';
  it('a sentence is one, and so is a choice of two', () => {
    const choice = sent.length > 100 ? 'this sentence' : 'that sentence';
    expect([
      new OAuthError('invalid_request', 'a sentence').message,
      new OAuthError('invalid_request', choice).message,
    ]).toEqual(['a sentence', 'that sentence']);
  });
  it('the type check refuses a template literal and any other text', () => {
    const refused = [
      // @ts-expect-error: a template literal
      new OAuthError('invalid_request', `refused: ${sent}`),
      // @ts-expect-error: a text that is put together
      new OAuthError('invalid_request', ['refused:', sent].join(' ')),
      // @ts-expect-error: a text from elsewhere
      new OAuthError('invalid_request', sent),
      // @ts-expect-error: a template literal of the type of one
      new OAuthError('invalid_request', `refused: ${sent}` as const),
    ];
    expect(refused.length).toBe(4);
  });
});
