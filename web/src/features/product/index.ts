export { ProductView } from "./product";
