//! Answers, errors, extensions and loaders.

use super::*;

// Answers: `shape.rs`, `execution.rs` and `engine.rs` put them in order.

/// `Shape::arrange`.
#[tokio::test]
async fn keys_come_in_the_order_in_which_their_values_arrive() {
    let answer = ask("{ thing { a: late(times: 3) b: late(times: 2) __typename } }").await;
    assert_eq!(answer.data, r#"{thing: {__typename: "Thing", b: 2, a: 3}}"#);
}

/// `RunWithinLimits::resolve` catches what fails, and `failed` stands for it. In 7.0 and 8 it takes its parent along instead, so
/// these stay.
#[tokio::test]
async fn a_nullable_field_that_failed_is_left_out_of_its_object() {
    let answer = ask("{ thing { id nullableFails } }").await;
    assert_eq!((answer.data.as_str(), answer.errors.len()), ("{thing: {id: 0}}", 1));
}

/// `propagate_nulls` and `has_failed`; they may go together with the above only.
#[tokio::test]
async fn a_field_that_must_not_be_null_is_left_out_when_it_failed() {
    assert_eq!(ask("{ maybeThing { id fails } }").await.data, "{maybeThing: {id: 0}}");
    assert_eq!(ask("{ things(count: 1) { id fails } }").await.data, "{things: [{id: 0}]}");
    assert_eq!(ask("{ results thing { id } }").await.data, "{thing: {id: 0}}");
}

/// `RunWithinLimits::resolve` takes the error where it happens, with its path.
#[tokio::test]
async fn an_error_in_a_list_of_lists_has_the_path_of_the_outer_item() {
    assert_eq!(ask("{ grid }").await.errors, [r#"failed [Field("grid"), Index(0)]"#]);
}

/// `Place` in `graphql/node.rs`.
#[tokio::test]
async fn a_result_in_a_list_is_not_null_whatever_it_holds() {
    assert!(types().sdl().contains("results: [Int!]!"));
    assert_eq!(ask("{ grid results }").await.errors.len(), 2);
}

/// The distinction of `QueryPathSegment::Index` in `RunWithinLimits::resolve`.
#[tokio::test]
async fn extensions_are_told_that_no_item_of_a_list_is_null() {
    let told = Ran::default();
    let types = Schema::build(Query, Mutation, EmptySubscription).extension(Told(told.clone())).finish();
    types.execute("{ maybeThings { __typename } }").await;
    assert_eq!(told.take(), ["maybeThings: [Thing]!", "maybeThings.0: Thing!", "maybeThings.1: Thing!"]);
}

/// Notes the places and types that extensions are told.
struct Told(Ran);

impl ExtensionFactory for Told {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self(self.0.clone()))
    }
}

#[async_trait::async_trait]
impl Extension for Told {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        self.0.add(format!("{}: {}", info.path_node, info.return_type));
        next.run(ctx, info).await
    }
}

/// `Body` in `engine.rs`.
#[tokio::test]
async fn a_request_that_was_not_executed_has_data() {
    let response = async_graphql::to_value(types().execute("{ unknown }").await).unwrap();
    assert!(matches!(response, Value::Object(keys) if keys.get("data") == Some(&Value::Null)));
}

/// `batches.rs`. In 8 such a batch is whole, and one of a long list in a long list is not.
#[tokio::test]
async fn a_loader_is_given_two_rows_of_a_long_list_at_a_time() {
    let (asked, waiting) = (Ran::default(), Arc::<Mutex<Vec<BoxFuture<'static, ()>>>>::default());
    let begun = Arc::clone(&waiting);
    let loader = DataLoader::new(Rows(asked.clone()), move |batch| begun.lock().unwrap().push(batch));
    let request = Request::new("{ things(count: 31) { loaded } }").data(loader.delay(Duration::ZERO));
    let types = types();
    let mut execution = pin!(types.execute(request));
    while execution.as_mut().now_or_never().is_none() {
        let batches = std::mem::take(&mut *waiting.lock().unwrap());
        for batch in batches {
            batch.await;
        }
    }
    assert_eq!(asked.take(), [vec!["2"; 15], vec!["1"]].concat());
}
