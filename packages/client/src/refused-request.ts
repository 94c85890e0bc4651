import type { WWWAuthenticateChallenge } from 'oauth4webapi';
import type { IssuedToken } from './issued-token.ts';
import type { Presenting } from './present.ts';
import type { Tokens } from './tokens.ts';

/** Why a repeated request would get a different response: a nonce, a clock, another token. */
export type Lesson = 'nonce' | 'clock' | 'token';

/** A response of a resource server to a request with a token. */
export interface ResourceAnswer {
  readonly url: URL;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  readonly token: IssuedToken | undefined;
  readonly response: Pick<Response, 'status' | 'headers'>;
  readonly challenges: readonly WWWAuthenticateChallenge[];
}

/** Remembers what a response says, and returns why a repeated request could succeed. */
export function lessonOf(
  { nonces, offsets, tokens }: Pick<Presenting, 'nonces' | 'offsets'> & { readonly tokens: Tokens },
  { url, sentAt, token, response, challenges }: ResourceAnswer,
): Lesson | undefined {
  const nonce = nonces.see(url, response.headers);
  const clockWasOff = offsets.see(url, response.headers, sentAt);
  if (response.status !== 401) return undefined;
  const errors = challenges.map(({ parameters }) => parameters.error);
  if (errors.includes('use_dpop_nonce')) return nonce ? 'nonce' : undefined;
  if (errors.includes('invalid_token')) {
    if (token !== undefined) tokens.drop(token);
    return 'token';
  }
  if (clockWasOff) return 'clock';
  // A page cannot see a challenge that the API does not expose, but perhaps the nonce.
  return challenges.length === 0 && nonce ? 'nonce' : undefined;
}
