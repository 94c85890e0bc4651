/** What the protocol needs from outside: time, randomness, stores. */

import type { AuditEvent } from '../domain/audit-event.ts';
import type { AuthorizationServer } from '../domain/authorization-server.ts';
import type { ClientRegistration } from '../domain/client-registration.ts';
import type { Clock } from '../domain/clock.ts';
import type { KeySource } from '../domain/key-source.ts';
import type { Pairing } from '../domain/pairing.ts';
import type { ResourceServer } from '../domain/resource-server.ts';
import type { SingleUse } from '../domain/single-use.ts';
import type { TrustRule } from '../domain/trust-rule.ts';
import type { TrustedIssuer } from '../domain/trusted-issuer.ts';
import type { AssertionKeys } from './assertion-keys.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { NoteUse } from './credential-use-log.ts';
import type { IssuedTokens } from './issued-tokens.ts';
import type { ReplayStore, WasUsed } from './replay-store.ts';

/**
 * A new random identifier of at least 122 bits, such as a UUID, for requests and registrations;
 * tokens and events have a `timeOrderedId`.
 */
export type RandomId = () => string;

export interface Issuances {
  /**
   * The one write of an issuance: marks every use, as `markUsed` does; if each was the first, also
   * records the event. Durable when it resolves. Throws StoreUnavailable.
   */
  commit(uses: readonly SingleUse[], event: AuditEvent): Promise<readonly boolean[]>;
}

export interface ClientRegistrations {
  /** The registration, disabled ones included, or undefined. */
  findClient(clientId: string): Promise<ClientRegistration | undefined>;
}

export interface ResourceServers {
  /** The resource server with exactly this RFC 8707 resource identifier, or undefined. */
  findByAudience(audience: string): Promise<ResourceServer | undefined>;
  /** The resource server with this `id`, or undefined. */
  findById(id: string): Promise<ResourceServer | undefined>;
  /** The resource server that authenticates by this `client_id`, or undefined. */
  findByClientId(clientId: string): Promise<ResourceServer | undefined>;
  /** The only resource server, or undefined if there is none or more than one. */
  findSole(): Promise<ResourceServer | undefined>;
}

export interface TrustedIssuers {
  /** The issuer with exactly this issuer identifier, or undefined if it is not trusted. */
  findTrustedIssuer(issuer: string): Promise<TrustedIssuer | undefined>;
  /** The id of the issuer with the `subject_prefix` that begins this subject, if there is one. */
  ownerOfSubject(subject: string): Promise<string | undefined>;
  /** The rules of an issuer, in the order in which they are tried. */
  findRules(trustedIssuerId: string): Promise<readonly TrustRule[]>;
}

export interface AuthorizationServers {
  /** The other authorization server with exactly this issuer identifier, or undefined. */
  findAuthorizationServer(issuer: string): Promise<AuthorizationServer | undefined>;
}

export interface WithdrawnHolders {
  /**
   * Records that the holder's key no longer confirms this token, which expires at `expiresAt`
   * (seconds since the epoch). Durable when it resolves.
   */
  withdraw(jti: string, clientId: string, expiresAt: number, event: AuditEvent): Promise<void>;
  /** Holders that withdrew from this token. */
  withdrawnFrom(jti: string): Promise<readonly string[]>;
}

export interface CredentialUses {
  /** Records a verified signature by a key of this registration; `at` in milliseconds. */
  markProven(registrationId: string, jkt: string, at: number): Promise<void>;
  /** Milliseconds since the epoch of the last such record, or undefined. */
  lastProven(registrationId: string, jkt: string): Promise<number | undefined>;
}

export interface Pairings {
  /** The current pairing of these two clients, or undefined. */
  findPairing(requester: string, holder: string): Promise<Pairing | undefined>;
  /** The pairing with this `consent`, revoked or not; undefined: withdrawn, deleted, replaced. */
  findByConsent(consent: string): Promise<Pairing | undefined>;
}

/**
 * The JWK Sets of clients and trusted issuers that are published elsewhere. Both reads throw if
 * there is none available.
 */
export interface RemoteJwkSets {
  /** The copy in force. */
  current(source: KeySource): Promise<object>;
  /** The newest copy, fetched now unless in the cool-down; alone it adds and removes no keys. */
  newest(source: KeySource): Promise<object>;
  /** Puts the newest copy in force: a signature by one of its keys was verified. */
  adopt(source: KeySource, jwks: object): void;
}

/** Everything that steps of the protocol may need; each picks what it uses. */
export interface Ports {
  readonly clock: Clock;
  readonly randomId: RandomId;
  readonly replay: ReplayStore;
  readonly wasUsed: WasUsed;
  readonly issuances: Issuances;
  readonly clients: ClientRegistrations;
  /** Clients as they are in the store now, without any cache. */
  readonly currentClients: ClientRegistrations;
  readonly resourceServers: ResourceServers;
  /** Resource servers as they are in the store now, without any cache. */
  readonly currentResourceServers: Pick<ResourceServers, 'findByClientId'>;
  readonly pairings: Pairings;
  readonly credentialUses: CredentialUses;
  /** Informational only; no decision may depend on it. */
  readonly noteUse: NoteUse;
  readonly trustedIssuers: TrustedIssuers;
  readonly authorizationServers: AuthorizationServers;
  readonly withdrawnHolders: WithdrawnHolders;
  readonly assertionKeys: AssertionKeys;
  readonly remoteJwkSets: RemoteJwkSets;
  readonly audit: AuditTrail;
  readonly issuedTokens: IssuedTokens;
}
