import type { Credential } from '../../domain/credential-use.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Proof } from '../../domain/proven-key.ts';
import type { NoteUse } from '../../ports/credential-use-log.ts';
import type { Refusals } from '../../ports/refusals.ts';
import type { WasUsed } from '../../ports/replay-store.ts';
import { type RequestWithCredentials, readCredentials } from './credentials.ts';

/** Counts a request of this authenticated caller by its `client_id`. Throws TooManyRequests. */
export type CountClient = (clientId: string) => Promise<void>;

/** What happens beside an authentication; `identify` names the caller that was authenticated. */
export interface Instruments<Caller> {
  readonly noteUse: NoteUse;
  /** Absent: clients are not limited. */
  readonly countClient: CountClient | undefined;
  readonly wasUsed: WasUsed;
  readonly identify: (caller: Caller) => {
    readonly registrationId: string;
    readonly clientId: string;
  };
}

/**
 * Notes the secret or certificate by which a caller authenticated, and counts the request for the
 * rate limit. Both follow the authentication, so a stranger who sends a client's name takes nothing
 * from its limit; nor does a copy of an assertion, which throws `invalid_client`. An assertion is
 * noted when its `jti` is marked as used.
 */
export function instrumentedAuthentication<
  Request,
  Caller extends { readonly credential?: Credential; readonly assertion?: Proof },
>(
  authenticate: (request: Request) => Promise<Caller>,
  { noteUse, countClient, wasUsed, identify }: Instruments<Caller>,
): (request: Request) => Promise<Caller> {
  return async (request) => {
    const caller = await authenticate(request);
    const { credential, assertion } = caller;
    const { registrationId, clientId } = identify(caller);
    // The commit at the end decides which use is the first; this look only protects the limit.
    if (countClient !== undefined && assertion !== undefined && (await wasUsed(assertion.use)))
      throw new OAuthError('assertion_replayed');
    if (credential !== undefined) noteUse(registrationId, credential.kind, credential.identifier);
    await countClient?.(clientId);
    return caller;
  };
}

/** Counts the refusals of a step as those of a stranger (`refusals_sampled` in the audit trail). */
export function countRefusals<Request extends RequestWithCredentials, Answer>(
  step: (request: Request) => Promise<Answer>,
  refusals: Pick<Refusals, 'ofStranger'>,
): (request: Request) => Promise<Answer> {
  return (request) =>
    step(request).catch((fault: unknown) => {
      refusals.ofStranger(fault, claimedClientId(request));
      throw fault;
    });
}

function claimedClientId(request: RequestWithCredentials): string | undefined {
  try {
    return readCredentials(request).clientId;
  } catch {
    return undefined;
  }
}
