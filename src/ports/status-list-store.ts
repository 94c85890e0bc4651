import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';

/** The place of a token on a published list. */
export interface StatusEntry {
  /** Id of the list. */
  readonly list: string;
  readonly idx: number;
}

/** A list that may hold tokens that have not expired. */
export interface ActiveStatusList {
  readonly id: string;
  /** Signs for this list's resource server. */
  readonly alg: AccessTokenSigningAlgorithm;
  /** True: the key that signed its tokens is compromised, so that none of them counts. */
  readonly compromised: boolean;
}

/** A list whose resource server cannot be read; it fails only for those who ask for it. */
export interface DamagedStatusList {
  readonly id: string;
  readonly damaged: Error;
}

/** Token status lists. Times in seconds since the epoch. All throw StoreUnavailable. */
export interface StatusListStore {
  /** Reserves `count` indexes from `first` on, in a list that lives at least until `expiresAt`. */
  reserve(
    resourceServerId: string,
    kid: string,
    count: number,
    expiresAt: number,
  ): Promise<{ readonly list: string; readonly first: number }>;
  /** Whether there is such a list; look-ups of one turn of the event loop are one statement. */
  exists(list: string): Promise<boolean>;
  /** Lists that may hold live tokens, by the database's clock. */
  lists(): Promise<readonly (ActiveStatusList | DamagedStatusList)[]>;
  /**
   * The tokens on lists that are inactive before their time: revoked, of a disabled or a deleted
   * client, exchanged under a pairing that is revoked.
   */
  inactive(): Promise<readonly StatusEntry[]>;
}
