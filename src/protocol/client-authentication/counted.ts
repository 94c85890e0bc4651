/** Counts a request of this authenticated caller by its `client_id`. Throws TooManyRequests. */
export type CountClient = (clientId: string) => Promise<void>;

/** Counts who has been authenticated, and only then: a stranger who sends a client's name takes nothing from it. */
export function counted<Request, Caller>(
  authenticate: (request: Request) => Promise<Caller>,
  count: CountClient | undefined,
  nameOf: (caller: Caller) => string,
): (request: Request) => Promise<Caller> {
  if (count === undefined) return authenticate;
  return async (request) => {
    const caller = await authenticate(request);
    await count(nameOf(caller));
    return caller;
  };
}
