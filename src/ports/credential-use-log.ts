import type { CredentialKind, CredentialUse } from '../domain/credential-use.ts';

/** Where last uses are kept. All throw StoreUnavailable. */
export interface CredentialUseLog {
  /** Stores these uses, all different; of several replicas the latest time wins. */
  record(uses: readonly CredentialUse[]): Promise<void>;
  /** The credentials of this kind used last, the latest first, 100 at most. */
  usesOf(registrationId: string, kind: CredentialKind): Promise<readonly CredentialUse[]>;
}

/** Notes that a credential was accepted just now. Neither waits nor fails. */
export type NoteUse = (
  registrationId: string,
  kind: CredentialKind,
  identifier: string,
  kid?: string,
) => void;
