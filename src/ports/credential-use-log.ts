import type { CredentialKind, CredentialUse } from '../domain/credential-use.ts';

/** The log of last uses. All methods throw StoreUnavailable. */
export interface CredentialUseLog {
  /** Stores these uses, all different; among replicas, the latest time wins. */
  record(uses: readonly CredentialUse[]): Promise<void>;
  /** The most recently used credentials of this kind, latest first, at most 100. */
  usesOf(registrationId: string, kind: CredentialKind): Promise<readonly CredentialUse[]>;
}

/** Records that a credential was accepted just now. Neither waits nor fails. */
export type NoteUse = (
  registrationId: string,
  kind: CredentialKind,
  identifier: string,
  kid?: string,
) => void;
