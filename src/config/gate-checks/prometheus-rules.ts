import { z } from 'zod';
import { flag, mapping, text, whole, word } from '../fields.ts';
import { timeoutField } from './common.ts';
import { pattern } from './http.ts';

const NAMES_MAX = 200;

function alertNames() {
  const error = `a list of 1 to ${NAMES_MAX} names of alerts`;
  return z
    .array(text(200, 'the name of an alert'), { error })
    .min(1, { error })
    .max(NAMES_MAX, { error });
}

export const prometheusRulesSchema = mapping({
  source: word('the name of a source').describe('A prometheus source of canaryd.yaml.'),
  at_least: whole(1, 10_000)
    .default(1)
    .describe('So many alerting rules there must be, of those that the filters leave. Default 1.'),
  name: pattern()
    .optional()
    .describe('Only alerts whose name matches this regular expression (RE2), such as ^Aurora.'),
  group: pattern()
    .optional()
    .describe('Only rules of groups whose name matches this regular expression (RE2).'),
  names: alertNames().optional().describe('Alerts that must be there, by name.'),
  none_firing: flag()
    .default(true)
    .describe('No alert may be firing, of those that the filters leave. Default true.'),
  except: alertNames()
    .optional()
    .describe('Alerts that may be firing, such as a watchdog that always does.'),
  timeout: timeoutField('15s', '5m'),
}).describe('The alerting rules of a Prometheus: that they are there, healthy and quiet.');

export type PrometheusRulesInput = z.output<typeof prometheusRulesSchema>;
