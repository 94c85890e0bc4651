import type { ResourceServer } from '../../domain/resource-server.ts';
import type { Fault } from '../schema-fault.ts';
import { faultCollector } from './checks.ts';
import { planAuthorizationServers } from './plan-authorization-servers.ts';
import { planClients } from './plan-clients.ts';
import type { PlannedChange } from './plan-kind.ts';
import { planPairings } from './plan-pairings.ts';
import { planResourceServers } from './plan-resource-servers.ts';
import { planTrust } from './plan-trust.ts';
import type { ConfigurationOptions, Planning } from './planning.ts';
import { type Configuration, declaredKinds } from './schemas.ts';

/** The changes, in the order of `declaredKinds`. */
export interface Plan {
  readonly changes: readonly PlannedChange[];
  readonly unchanged: number;
  /** Algorithms whose signing keys must exist first. */
  readonly algorithms: ReadonlySet<ResourceServer['access_token_signing_alg']>;
}

/** Options of a plan. */
interface Asked {
  readonly prune: boolean;
  /** Faults that the schema found. */
  readonly known: readonly Fault[];
  /** Awaited between its parts. */
  readonly turn: () => Promise<void>;
}

/** Compares a configuration with the registrations. Throws Faults with all of them. */
export async function planConfiguration(
  configuration: Configuration,
  { prune, known, turn }: Asked,
  options: ConfigurationOptions,
): Promise<Plan> {
  const changes: PlannedChange[] = [];
  let unchanged = 0;
  const planning: Planning = {
    configuration,
    prune,
    options,
    registrations: options.configuration.registrations,
    faults: faultCollector(known, turn),
    add(change) {
      if (change === undefined) unchanged += 1;
      else changes.push(change);
    },
  };
  const { algorithms, findByAudience } = await planResourceServers(planning);
  const clients = await planClients(planning, findByAudience);
  await planTrust(planning, clients.isPruned);
  await planAuthorizationServers(planning, clients.isPruned, async (alg) => {
    algorithms.add(alg);
  });
  await planPairings(planning, clients.exists);
  planning.faults.refuse();
  const order = ({ kind }: PlannedChange) => declaredKinds.indexOf(kind);
  return { changes: changes.sort((a, b) => order(a) - order(b)), unchanged, algorithms };
}
