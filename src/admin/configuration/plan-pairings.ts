import type { NewPairing, Pairing } from '../../domain/pairing.ts';
import type { PairingRegistry } from '../../ports/pairing-registry.ts';
import { changedMembers } from '../changed-members.ts';
import { terms } from '../pairing-schemas.ts';
import { pairingEvent, readPairing } from '../pairings.ts';
import { once } from './checks.ts';
import { listIn, memberChanges, type PlannedChange } from './plan-kind.ts';
import type { Planning } from './planning.ts';

/** Plans pairings. `exists`: whether a client with this `client_id` will exist. */
export async function planPairings(
  planning: Planning,
  exists: (clientId: string) => Promise<boolean>,
): Promise<void> {
  const { configuration, prune, options, registrations, faults, add } = planning;
  const declared = new Map<string, string>();
  for (const [index, body] of listIn(configuration, 'pairings').entries())
    await faults.check(`pairings[${index}]`, async (path) => {
      once(declared, nameOf(body), { member: 'holder', path, what: 'pair of clients' });
      const pairing = await readPairing(body, { ...options, exists });
      add(
        changeOf(
          planning,
          pairing,
          await registrations.pairings.findPairing(body.requester, body.holder),
        ),
      );
    });
  for (const pairing of prune ? await managedPairings(registrations.pairings) : [])
    if (!declared.has(nameOf(pairing)))
      add({
        kind: 'pairing',
        name: nameOf(pairing),
        action: 'delete',
        members: [],
        make: async (of) => revoke(planning, of.pairings, pairing),
      });
}

/** Pairings are immutable: one that differs is revoked and created again. */
function changeOf(
  planning: Planning,
  pairing: NewPairing,
  stored: Pairing | undefined,
): PlannedChange | undefined {
  const after = terms(pairing);
  const before = stored && terms(stored);
  const names = changedMembers(before, after);
  if (before !== undefined && names.length === 0) return undefined;
  const isOurs = stored === undefined || stored.managedBy === 'configuration';
  const made: NewPairing = { ...pairing, ...(isOurs && { managedBy: 'configuration' }) };
  return {
    kind: 'pairing',
    name: nameOf(pairing),
    action: stored === undefined ? 'create' : 'replace',
    members: memberChanges(names, before ?? {}, after),
    async make({ pairings }) {
      if (stored !== undefined) await revoke(planning, pairings, stored);
      await pairings.create(made, pairingEvent('pairing_created', made));
    },
  };
}

async function revoke(
  { options: { clock, maxAccessTokenLifetime } }: Planning,
  pairings: PairingRegistry,
  pairing: Pairing,
): Promise<void> {
  const change = { at: clock(), event: pairingEvent('pairing_revoked', pairing) };
  await pairings.revoke(pairing.id, change, maxAccessTokenLifetime);
}

/** Active pairings that a configuration created. */
async function managedPairings(pairings: PairingRegistry): Promise<readonly Pairing[]> {
  return (await allPairings(pairings, true)).filter(({ revokedAt }) => revokedAt === undefined);
}

/** Every pairing, even revoked ones, or only those that a configuration created. */
export async function allPairings(
  pairings: PairingRegistry,
  managed?: true,
): Promise<readonly Pairing[]> {
  const found: Pairing[] = [];
  for (;;) {
    const page = await pairings.list({ limit: 500, after: found.at(-1)?.id ?? '', managed });
    found.push(...page);
    if (page.length < 500) return found;
  }
}

function nameOf({ requester, holder }: Pick<Pairing, 'requester' | 'holder'>): string {
  return `${requester} ${holder}`;
}
