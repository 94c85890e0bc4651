import type { AuthorizationServer } from '../domain/authorization-server.ts';
import type { PairingRegistry } from './pairing-registry.ts';
import type { AuthorizationServers, Pairings, ResourceServers, TrustedIssuers } from './ports.ts';
import type { ClientRegistry, Registry, ResourceServerRegistry } from './registry.ts';
import type { TrustedIssuerRegistry } from './trusted-issuer-registry.ts';

/** Everything that a configuration can declare, read from the store without a cache. */
export interface Registrations {
  readonly clients: ClientRegistry;
  readonly resourceServers: ResourceServerRegistry & ResourceServers;
  readonly trustedIssuers: TrustedIssuerRegistry &
    Pick<TrustedIssuers, 'findTrustedIssuer' | 'ownerOfSubject'>;
  readonly authorizationServers: Registry<AuthorizationServer> & AuthorizationServers;
  readonly pairings: PairingRegistry & Pick<Pairings, 'findPairing'>;
}

/** Changes of many registrations that take effect together or not at all. */
export interface ConfigurationChanges {
  readonly registrations: Registrations;
  /** Does this while no other replica does, and none migrates the database. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Names the state of all registrations; later states get other names. Throws StoreUnavailable.
   */
  version(): Promise<string>;
  /**
   * Makes every change that `changes` requests of its registries, with its record, in one
   * transaction. False, with nothing changed: they are no longer at `version`, or an identifier is
   * taken. Throws StoreUnavailable.
   */
  commit(
    version: string,
    changes: (registrations: Registrations) => Promise<void>,
  ): Promise<boolean>;
}
