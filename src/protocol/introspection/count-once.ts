import { OAuthError } from '../../domain/oauth-error.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import type { ReplayStore } from '../../ports/replay-store.ts';

/** Marks a proof as used, if there is one. Throws `proof_replayed`, StoreUnavailable. */
export async function countOnce(replay: ReplayStore, use: SingleUse | undefined): Promise<void> {
  if (use === undefined) return;
  const [isFirst] = await replay.markUsed([use]);
  if (isFirst !== true) throw new OAuthError('proof_replayed');
}
