import type { ClientRegistration } from '../client-registration.ts';
import type { Ports } from '../ports.ts';
import type { IssueAccessToken } from './issue-access-token.ts';

/** Milliseconds for which a recorded proof is not recorded again; `proven_at` is asked for in days. */
const precision = 3_600_000;

/** Keys remembered as recorded; beyond that all are forgotten, and merely recorded once more. */
const maxRemembered = 10_000;

/**
 * Records which registered keys a token request proved (`proven_at`), for clients that let such keys be added to tokens without a fresh
 * proof. Every other client costs nothing.
 */
export function rememberProvenKeys(issue: IssueAccessToken, { credentialUses, clock }: Pick<Ports, 'credentialUses' | 'clock'>): IssueAccessToken {
  const recorded = new Map<string, number>();
  const remember = async ({ client_id, alt_cnf_registered_key }: ClientRegistration, jkt: string) => {
    const name = JSON.stringify([client_id, jkt]);
    const now = clock();
    if (alt_cnf_registered_key !== true || now < (recorded.get(name) ?? 0) + precision) return;
    await credentialUses.markProven(client_id, jkt, now);
    if (recorded.size >= maxRemembered) recorded.clear();
    recorded.set(name, now);
  };
  return async (client, grant, possession, binding, holders) => {
    const issued = await issue(client, grant, possession, binding, holders);
    if (possession.boundKey.key !== undefined) await remember(client.registration, possession.boundKey.key.jkt);
    if (client.assertion !== undefined) await remember(client.registration, client.assertion.key.jkt);
    for (const { registration, key, provenBy } of holders) if (provenBy === 'cnf_proof') await remember(registration, key.jkt);
    return issued;
  };
}
