import type { Credential } from '../../domain/credential-use.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Proof } from '../../domain/proven-key.ts';
import type { NoteUse } from '../../ports/credential-use-log.ts';
import type { Refusals } from '../../ports/refusals.ts';
import type { WasUsed } from '../../ports/replay-store.ts';
import { type RequestWithCredentials, readCredentials } from './credentials.ts';

/** Counts a request of this authenticated caller by its `client_id`. Throws TooManyRequests. */
export type CountClient = (clientId: string) => Promise<void>;

/** Side effects of an authentication; `identify` names the authenticated caller. */
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
 * Records which secret or certificate authenticated a caller, and counts the request for the rate
 * limit. Both happen after authentication, so neither a stranger who sends a client's name nor a
 * replayed assertion (`invalid_client`) uses up its limit. An assertion is recorded when its `jti`
 * is marked as used.
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
    // The final commit decides which use is the first; this check only protects the limit.
    if (countClient !== undefined && assertion !== undefined && (await wasUsed(assertion.use)))
      throw new OAuthError('assertion_replayed');
    if (credential !== undefined) noteUse(registrationId, credential.kind, credential.identifier);
    await countClient?.(clientId);
    return caller;
  };
}

/** Counts the refusals of a step as a stranger's (`refusals_sampled` in the audit trail). */
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
