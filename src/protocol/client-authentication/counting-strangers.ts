import type { Refusals } from '../../ports/refusals.ts';
import { type RequestWithCredentials, readCredentials } from './credentials.ts';

/** Counts whoever is refused in this step, for want of authentication or at an introspection as a whole (`refusals_sampled` in the audit trail); changes no answer. */
export function countingStrangers<Request extends RequestWithCredentials, Caller>(
  authenticate: (request: Request) => Promise<Caller>,
  refusals: Pick<Refusals, 'ofStranger'>,
): (request: Request) => Promise<Caller> {
  return (request) =>
    authenticate(request).catch((fault: unknown) => {
      refusals.ofStranger(fault, claimedName(request));
      throw fault;
    });
}

function claimedName(request: RequestWithCredentials): string | undefined {
  try {
    return readCredentials(request).clientId;
  } catch {
    return undefined;
  }
}
