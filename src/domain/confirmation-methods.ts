/** Members of `cnf` (IANA JWT Confirmation Methods) that this server issues. */
export const confirmationMethods = ['jkt', 'x5t#S256', 'jwk', 'kid', 'jku', 'jwe'] as const;
export type ConfirmationMethod = (typeof confirmationMethods)[number];

/** Every member of `cnf` that names a key; unknown members are ignored (RFC 7800 §3.1). */
export const keyNamingMembers = [...confirmationMethods, 'jwks'] as const;
