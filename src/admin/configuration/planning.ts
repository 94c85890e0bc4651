import type { ConfigurationChanges, Registrations } from '../../ports/configuration.ts';
import type { AuthorizationServerRoutesOptions } from '../authorization-servers.ts';
import type { ClientRoutesOptions } from '../clients.ts';
import type { ResourceServerRoutesOptions } from '../resource-servers.ts';
import type { TrustedIssuerRoutesOptions } from '../trusted-issuers.ts';
import type { FaultCollector } from './checks.ts';
import type { PlannedChange } from './plan-kind.ts';
import type { Configuration } from './schemas.ts';

/** What configurations are checked against. */
export interface ConfigurationOptions
  extends Omit<ClientRoutesOptions, 'clients' | 'resourceServers' | 'trustedIssuers'>,
    Omit<ResourceServerRoutesOptions, 'clients' | 'resourceServers'>,
    Omit<TrustedIssuerRoutesOptions, 'trustedIssuers'>,
    Omit<AuthorizationServerRoutesOptions, 'authorizationServers'> {
  readonly configuration: ConfigurationChanges;
}

/** Context of a plan. */
export interface Planning {
  readonly configuration: Configuration;
  readonly prune: boolean;
  readonly options: ConfigurationOptions;
  readonly registrations: Registrations;
  readonly faults: FaultCollector;
  /** Adds a change; undefined: nothing differs. */
  readonly add: (change: PlannedChange | undefined) => void;
}
