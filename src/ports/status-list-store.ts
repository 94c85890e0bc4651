import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';

/** The place of a token on a published list. */
export interface StatusEntry {
  /** Id of the list. */
  readonly list: string;
  readonly idx: number;
}

/** A list that may contain unexpired tokens. */
export interface ActiveStatusList {
  readonly id: string;
  /** Signs for this list's resource server. */
  readonly alg: AccessTokenSigningAlgorithm;
  /** True: the key that signed its tokens is compromised, so they are all invalid. */
  readonly compromised: boolean;
}

/** A list whose resource server cannot be read; only requests for this list fail. */
export interface DamagedStatusList {
  readonly id: string;
  readonly damaged: Error;
}

/** Token status lists. Times in seconds since the epoch. All throw StoreUnavailable. */
export interface StatusListStore {
  /** Reserves `count` indexes from `first` in a list that lives at least until `expiresAt`. */
  reserve(
    resourceServerId: string,
    kid: string,
    count: number,
    expiresAt: number,
  ): Promise<{ readonly list: string; readonly first: number }>;
  /** Whether the list exists; look-ups in one turn of the event loop share one statement. */
  exists(list: string): Promise<boolean>;
  /** Lists that may contain unexpired tokens, by the database's clock. */
  lists(): Promise<readonly (ActiveStatusList | DamagedStatusList)[]>;
  /**
   * The tokens on lists that are inactive before they expire: revoked, of a disabled or deleted
   * client, or exchanged under a revoked pairing.
   */
  inactive(): Promise<readonly StatusEntry[]>;
}
