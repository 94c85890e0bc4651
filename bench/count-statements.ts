import { registerHooks } from 'node:module';

// Imported before the server, it counts the statements of the driver adapters.
registerHooks({
  resolve(specifier, context, next) {
    const counted =
      specifier.endsWith('/adapters.ts') &&
      context.parentURL?.endsWith('/store/connection/database.ts') === true;
    return next(
      counted ? new URL('./counted-adapters.ts', import.meta.url).href : specifier,
      context,
    );
  },
});
