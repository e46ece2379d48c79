// GitHub: `deployment_status` events. A success is a finished deploy; everything else is not.
import {
  extrasOf,
  type HookEvent,
  type HookResult,
  type HookSettings,
  ignored,
  invalid,
  keyOf,
  releaseTag,
  shown,
  startOf,
  textAt,
  valueAt,
} from './hook.ts';

export function readGithub({ headers, body }: HookEvent, settings: HookSettings): HookResult {
  const event = headers['x-github-event'];
  if (event === 'ping') return ignored('ping: the hook works');
  if (event !== 'deployment_status') {
    return ignored(`event ${shown(event)}; only deployment_status starts a watch`);
  }
  const action = valueAt(body, 'action');
  if (action !== 'created') return ignored(`action ${shown(action)}; only created starts a watch`);
  const state = valueAt(body, 'deployment_status.state');
  if (state !== 'success') return ignored(`state ${shown(state)}; only success starts a watch`);
  // A preview of a pull request is no deploy of the service, unless the config names it.
  const isTransient = valueAt(body, 'deployment.transient_environment') === true;
  if (isTransient && settings.environments === null) {
    return ignored('a transient environment; name it in environments to watch it');
  }
  const name = textAt(body, 'repository.full_name');
  if (name === null) return invalid('repository.full_name', 'found nothing; wanted org/repo');
  const extras = extrasOf(valueAt(body, 'deployment.payload'));
  const version = releaseTag(textAt(body, 'deployment.ref')) ?? textAt(body, 'deployment.sha');
  if (version === null && extras['version'] === undefined) {
    return invalid('deployment.sha', 'found nothing; wanted the commit that was deployed');
  }
  return startOf(
    {
      name,
      environment:
        textAt(body, 'deployment_status.environment') ?? textAt(body, 'deployment.environment'),
      // The status is written when the deploy has finished; the deployment, when it begins.
      deployedAt: textAt(body, 'deployment_status.created_at'),
      by: textAt(body, 'deployment.creator.login'),
      url: textAt(body, 'deployment_status.log_url'),
      fields: { version, ...extras },
    },
    settings,
    keyOf('github', headers['x-github-delivery']),
  );
}
