# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY . .
# `npm ci` builds dist/. What is left then is what dist/ loads from beside it.
RUN npm ci --no-audit --no-fund \
  && npm prune --omit=dev --workspaces=false --ignore-scripts --no-save --no-audit --no-fund \
  && rm -rf node_modules/.cache node_modules/@libsql/*-musl dist/*.map

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 ADMIN_HOST=127.0.0.1 DATABASE_URL=file:/data/holdfast.db
WORKDIR /app
RUN mkdir -m 700 /data && chown 1000:1000 /data && ln -s /app/bin/holdfast.js /usr/local/bin/holdfast
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/bin bin
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/prisma/schema.prisma prisma/schema.prisma
COPY --from=build /app/prisma/migrations prisma/migrations
COPY --from=build /app/dist dist
# The user `node` of the base image, by number: Kubernetes can tell that it is not root.
USER 1000:1000
VOLUME /data
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT||8080}/health/ready`).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# Node itself is process 1, so that SIGTERM reaches it.
CMD ["node", "dist/main.js"]
