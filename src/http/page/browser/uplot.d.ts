// The served name of the chart library, with the library's own types.
export { default } from 'uplot';
