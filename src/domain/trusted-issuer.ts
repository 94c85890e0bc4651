import type { ListedClients } from './client-registration.ts';

/** An OpenID provider whose ID tokens may be exchanged for access tokens (RFC 8693 §2.1). */
export interface TrustedIssuer {
  readonly id: string;
  /** Compared whole with `iss`. */
  readonly issuer: string;
  /** Must be in `aud`: the client identifier that the app has at the provider. */
  readonly audience: string;
  /** Where the provider's keys are; fetched as any client's `jwks_uri` is. */
  readonly jwks_uri: string;
  /** Clients that may exchange its ID tokens; absent: every client with the grant. */
  readonly clients?: readonly string[];
  /** For which registrations the names in `clients` stood when they were listed. */
  readonly listed: ListedClients;
  /** Put before the provider's `sub`, so that users of two providers cannot have one name. */
  readonly subject_prefix?: string;
}

/** An issuer that is to be trusted; the store knows whom the names in `clients` stand for. */
export type NewTrustedIssuer = Omit<TrustedIssuer, 'listed'>;
