export { FirstRunPage } from "./first-run-page";
export { OperatorPage } from "./operator-page";
