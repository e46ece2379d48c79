# canaryd runs its TypeScript as it is: there is nothing to build, only packages to fetch.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Optional packages are Node itself for machines without it; this image has it.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
# The only place that is written to: the rest may be mounted read-only.
RUN install -d -o node -g node -m 0750 /var/lib/canaryd
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY config/canaryd.schema.json config/policy.schema.json ./config/
COPY src ./src
# `docker exec … canaryd list` works as it does anywhere.
RUN ln -s /app/src/main.ts /usr/local/bin/canaryd
USER node
VOLUME /var/lib/canaryd
EXPOSE 7766
# The slim image has no curl. A daemon on another port sets CANARYD_URL, which its CLI reads too.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch((process.env.CANARYD_URL ?? 'http://127.0.0.1:7766') + '/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The flags: docs/performance.md, "Memory".
CMD ["node", "--max-semi-space-size=4", "--max-old-space-size=768", "src/main.ts", "serve", "--config", "/etc/canaryd/canaryd.yaml"]
