import { HolderError } from './holder-error.ts';
import type { Target } from './options.ts';

/** A token exchange (RFC 8693 §2.1). */
export interface Exchange extends Target {
  /** The token, or a function that returns it whenever a new one is needed. */
  readonly subjectToken: string | (() => string | Promise<string>);
  /** Default `access_token`. */
  readonly subjectTokenType?: 'access_token' | 'id_token';
}

/** Parameters of the request, and the token that a DPoP proof must name in `ath`. */
export async function exchangeParameters({
  subjectToken,
  subjectTokenType = 'access_token',
}: Exchange): Promise<{ parameters: Record<string, string>; boundToken: string | undefined }> {
  const token = typeof subjectToken === 'function' ? await subjectToken() : subjectToken;
  if (typeof token !== 'string' || token === '')
    throw new HolderError('invalid_options', 'there is no subject token to exchange');
  return {
    parameters: {
      subject_token: token,
      subject_token_type: `urn:ietf:params:oauth:token-type:${subjectTokenType}`,
    },
    boundToken: subjectTokenType === 'access_token' ? token : undefined,
  };
}
