import { type FetchContext, fetchWithToken, refuseOtherOrigins } from './fetch.ts';
import type { Token } from './issued-token.ts';
import { refusePlainHttp } from './options.ts';
import { challengesOf, present } from './present.ts';
import { type Lesson, lessonOf } from './refused-request.ts';

/** Presents the token for one resource and scope. */
export interface Presenter {
  /** `fetch` with token and proof, to the origins of the resource. */
  readonly fetch: typeof fetch;
  /** The current token, obtained if necessary, for software that presents it by itself. */
  token(): Promise<Token>;
  /**
   * Header fields of one request, for software that does not use `fetch`: `authorization`, and
   * `dpop` or `pop` with a proof that counts once.
   */
  authorize(method: string, url: string | URL): Promise<Record<string, string>>;
  /**
   * Reports the response to a request with fields of `authorize`. Returns why a retry with new
   * fields makes sense; undefined if it does not.
   */
  observe(
    url: string | URL,
    answer: { readonly status: number; readonly headers: Headers },
  ): Promise<Lesson | undefined>;
}

/** A presenter of these tokens. */
export function presenter(context: FetchContext): Presenter {
  return {
    fetch: fetchWithToken(context),
    token: () => context.tokens.get(),
    async authorize(method, target) {
      const url = new URL(target);
      refusePlainHttp(url, context.allowInsecureRequests);
      refuseOtherOrigins(url, context.origins);
      let fields: Record<string, string> = {};
      const headers = new Headers();
      await present(
        context,
        await context.tokens.get(),
        { method, url, headers },
        async (_, sent) => {
          fields = sent.headers as Record<string, string>;
          return new Response(null);
        },
      );
      return Object.fromEntries(
        Object.entries(fields).filter(([name]) => ['authorization', 'dpop', 'pop'].includes(name)),
      );
    },
    async observe(target, { status, headers }) {
      const url = new URL(target);
      // Only a 401 has challenges, and a Response cannot have a status below 200.
      const challenges =
        status === 401 ? await challengesOf(new Response(null, { status, headers })) : [];
      const token = context.tokens.current();
      const sentAt = context.clock();
      return lessonOf(context, { url, sentAt, token, response: { status, headers }, challenges });
    },
  };
}
