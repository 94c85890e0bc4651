import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import type { ListedClients } from './client-registration.ts';

/** A client of this server, and its name at the other one. */
export interface ClientElsewhere {
  readonly client_id: string;
  readonly remote_client_id: string;
}

/** Another authorization server, for which this one issues identity assertion grants. */
export interface AuthorizationServer {
  readonly id: string;
  /** Its issuer identifier: `aud` of the grants, and `audience` of the requests. */
  readonly issuer: string;
  /** Clients that may request a grant. */
  readonly clients: readonly ClientElsewhere[];
  /** The registrations that the names in `clients` meant when they were listed. */
  readonly listed: ListedClients;
  /** Maximum scope of a grant, space-separated; absent: no scope. */
  readonly scope?: string;
  /** Resources that a grant may name; absent: any. */
  readonly resources?: readonly string[];
  readonly signing_alg: AccessTokenSigningAlgorithm;
}
